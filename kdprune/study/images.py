"""The images of a data set, as the parameters split them."""

import torch

from kdprune.config.params import Params
from kdprune.data.augment import Augment
from kdprune.data.tensors import augmentation_of, load_tensors
from kdprune.study import paths


def tensors(dataset: str, params: Params) -> dict[str, torch.Tensor]:
    """Load a prepared data set onto the device, split into train, val and test."""
    split = params.data.model_dump(include={"validation", "validation_seed"})
    return load_tensors(paths.data(dataset), **split)


def augmentation(dataset: str) -> Augment:
    """Return the views that are drawn of a prepared data set's training images."""
    return augmentation_of(paths.data(dataset))

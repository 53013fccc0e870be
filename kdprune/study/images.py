"""The images of a data set, as the parameters split them."""

import torch

from kdprune.config.params import Params
from kdprune.data.tensors import load_tensors
from kdprune.study import paths


def tensors(dataset: str, params: Params) -> dict[str, torch.Tensor]:
    """Load a prepared data set onto the device, split into train, val and test."""
    split = params.data.model_dump(include={"validation", "validation_seed"})
    return load_tensors(paths.data(dataset), **split)

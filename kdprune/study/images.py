"""The images of a data set, as the parameters split them."""

from collections.abc import Mapping
from typing import Any

import torch

from kdprune.config.params import Params
from kdprune.data.augment import Augment
from kdprune.data.tensors import augmentation_of, load_tensors
from kdprune.study import paths


def tensors(
    dataset: str, params: Params, described: Mapping[str, Any] | None = None
) -> dict[str, torch.Tensor]:
    """Load a prepared data set onto the device, split into train, val and test.

    Its mean and std are those of its training images, or what the metadata of a checkpoint
    (`described`) say that its network is given.
    """
    split = params.data.model_dump(include={"validation", "validation_seed"})
    return as_told(load_tensors(paths.data(dataset), **split), described or {})


def as_told(
    images: Mapping[str, torch.Tensor], described: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    """Return images with the mean and std of a checkpoint's metadata, where it has its own."""
    own = seen(described).get("normalised", {})
    given = {name: torch.tensor(value).to(images[name]) for name, value in own.items()}
    return {**images, **given}


def seen(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what metadata say of how images are seen: a student sees them as its teacher does."""
    return {name: described[name] for name in ("normalised",) if described.get(name)}


def augmentation(dataset: str) -> Augment:
    """Return the views that are drawn of a prepared data set's training images."""
    return augmentation_of(paths.data(dataset))

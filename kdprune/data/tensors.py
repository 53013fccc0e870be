"""A data set as tensors on the device, split by the parameters."""

from pathlib import Path
from typing import cast

import numpy as np
import torch

from kdprune import device, memory
from kdprune.data.augment import Augment, augmentation
from kdprune.data.canonical import Images, load, seen, stratified_split
from kdprune.data.stored import Stored


def load_tensors(
    folder: Path, *, validation: float, validation_seed: int
) -> dict[str, torch.Tensor]:
    """Return train, val and test images and labels, mean and std, as `sweep` takes them.

    Where the data set brings no validation images of its own, the share `validation` of the
    training images becomes them. Training images are whole; of the others it is the middle that
    networks are shown. Where images would take too much memory (`kdprune.memory`), they stay in
    their files, and `Stored` stands for their tensors. Raises KdpruneError for missing or damaged
    files.
    """
    images, place = load(folder), device.choose()
    loaded: dict[str, torch.Tensor | Stored] = {}
    for split, (array, labels, rows) in _split(images, validation, validation_seed).items():
        size = array.shape[-1] if split == "train" else images.size
        stored = Stored(array, rows, size=size, device=place)
        loaded[f"{split}_images"] = stored
        loaded[f"{split}_labels"] = torch.from_numpy(labels[rows]).to(place)
    whole = sum(one.shape.numel() for one in loaded.values() if isinstance(one, Stored))
    if whole <= memory.for_images(_memory(place)):
        loaded |= {name: one.whole() for name, one in loaded.items() if isinstance(one, Stored)}
    for name in ("mean", "std"):
        loaded[name] = torch.tensor(getattr(images, name), device=place)
    # to whoever trains and evaluates, what stays in files is as good as tensors
    return cast(dict[str, torch.Tensor], loaded)


def augmentation_of(folder: Path) -> Augment:
    """Return the views that are drawn of a data set's training images."""
    size, views = seen(folder)
    return augmentation(views, size)


def split_sizes(folder: Path, validation: float, seed: int) -> dict[str, int]:
    """Return how many images a data set's folder has to train on, to validate on and to test on."""
    parts = _split(load(folder), validation, seed)
    return {part: len(rows) for part, (_, _, rows) in parts.items()}


def _split(
    images: Images, validation: float, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return by split the images and labels of a file, and which rows of them are its own."""
    train = images.train_images, images.train_labels
    test = images.test_images, images.test_labels
    if images.val_images is not None and images.val_labels is not None:
        val = images.val_images, images.val_labels
        rows, kept = np.arange(len(train[1])), np.arange(len(val[1]))
    else:
        val = train
        rows, kept = stratified_split(images.train_labels, validation, seed)
    return {"train": (*train, rows), "val": (*val, kept), "test": (*test, np.arange(len(test[1])))}


def _memory(place: torch.device) -> int | None:
    if place.type == "cuda":
        return torch.cuda.get_device_properties(place).total_memory
    return memory.machine()

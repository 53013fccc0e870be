"""A data set as tensors on the device, split by the parameters."""

from pathlib import Path

import torch

from kdprune import device
from kdprune.data.augment import Augment, augmentation, centred
from kdprune.data.canonical import load, seen, stratified_split


def load_tensors(
    folder: Path, *, validation: float, validation_seed: int
) -> dict[str, torch.Tensor]:
    """Return train, val and test images and labels, mean and std, as `sweep` takes them.

    Training images are whole; of the others it is the middle that networks are shown.
    Raises KdpruneError for missing or damaged files.
    """
    images = load(folder)
    train, val = stratified_split(images.train_labels, validation, validation_seed)
    arrays = {
        "train_images": images.train_images[train],
        "train_labels": images.train_labels[train],
        "val_images": images.train_images[val],
        "val_labels": images.train_labels[val],
        "test_images": images.test_images,
        "test_labels": images.test_labels,
    }
    place = device.choose()
    loaded = {name: torch.from_numpy(array).to(place) for name, array in arrays.items()}
    for name in ("val_images", "test_images"):
        loaded[name] = centred(loaded[name], images.size)
    for name in ("mean", "std"):
        loaded[name] = torch.tensor(getattr(images, name), device=place)
    return loaded


def augmentation_of(folder: Path) -> Augment:
    """Return the views that are drawn of a data set's training images."""
    size, views = seen(folder)
    return augmentation(views, size)

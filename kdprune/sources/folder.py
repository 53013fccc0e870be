"""A data set of one's own: a folder of images per class, as torchvision's ImageFolder reads it."""

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

from kdprune.data.canonical import Spec, Split, stratified_split
from kdprune.errors import KdpruneError
from kdprune.sources import columns, halves, overlap, pictures, reading, tables
from kdprune.sources.columns import MOST
from kdprune.sources.ordering import Ordered, ordered
from kdprune.sources.walking import SUFFIXES, Passed, listing
from kdprune.sources.writing import write

TEST, SEED = 0.2, 0  # the share of each class that is tested on, where the folder does not say
WHOLE = "all"
LEAST = {"train": 2, "val": 1, "test": 1, WHOLE: 3}  # of every class; one is validated on
NAMED = 3  # of many classes
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

    `root` holds train/CLASS and test/CLASS, with val/CLASS or without, or CLASS alone: then a fifth
    of each class, drawn with seed 0, becomes the test set; or parquet files (`tables`). Images are
    stored with the side `size` / `crop`, of which networks see `size`; `views` says how training
    images are augmented (data.augment). Labels follow the class names in the order of their
    characters.
    The same pixels give the same bytes, whatever the files are called. What was passed over is
    said on stderr. Raises KdpruneError for what cannot be used.
    """
    root, folder = Path(root), Path(folder)
    try:
        read, classes = _found(root, show, round(size / crop), folder.parent)
        splits = {half: ordered(*split, str(root)) for half, split in read.items()}
        if WHOLE in splits:
            splits = _divided(splits[WHOLE])
        overlap.tell(splits, root)
        counts = {split: len(held.labels) for split, held in splits.items()}
        spec = Spec(name, classes, counts, {})
        write(folder, spec, splits, where=str(root), size=size, crop=crop, views=views)
    except OSError as error:
        raise KdpruneError(f"{folder}: cannot be written ({error.strerror or error})") from None


def _found(
    root: Path, show: bool, side: int, beside: Path
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return what `root` holds by half, from parquet files or from folders of images."""
    passed = Passed()
    if root.is_dir() and (parquet := tables.files(root, passed)):
        labels, classes = columns.labels(parquet)
        held = {}
        for half, places in labels.items():
            counted = Counter(places)
            held[half] = {name: [root] * counted[at] for at, name in enumerate(classes)}
        _tell(passed.said(), root)
        check(held, root)
        return tables.read(parquet, labels, side, beside), classes
    named = files(root, passed)
    classes = tuple(next(iter(named.values())))
    _tell([*passed.said(), *_order(classes)], root)
    check(named, root)
    return reading.read(named, root, show, side, beside), classes


def _tell(lines: list[str], root: Path) -> None:
    for line in lines:
        print(f"kdprune: {pictures.shown(root)}: {line}", file=sys.stderr)


def files(root: Path, passed: Passed | None = None) -> dict[str, Files]:
    """Return the image files by class, by half ("train", "val", "test"), or under "all".

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
        inner = root / classes[0] if WHOLE in halves and len(classes) == 1 else None
        wrapped = inner is not None and any(one.is_dir() for one in inner.glob("*"))
        hint = f"; is {inner} the data set? Then name that" if wrapped else ""
        raise KdpruneError(f"{root}: has {few}; 2 to {MOST} can be learnt, each in a folder{hint}")
    for half, other in permutations(halves, 2):
        if missing := [name for name in halves[half] if name not in halves[other]]:
            some = ", ".join(missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
            which = f"class {some} is" if len(missing) == 1 else f"classes {some} are"
            raise KdpruneError(
                f"{root}: {which} in {half}/ but not in {other}/; each must have a folder of every "
                "class, named alike"
            )
    for half, named in halves.items():
        least = 1 if half == "train" and "val" in halves else LEAST[half]
        for name, held in named.items():
            if len(held) < least:
                place = root / ("" if half == WHOLE else half) / name
                raise KdpruneError(
                    f"{place}: holds {len(held)} images; a class needs {least} or more here "
                    f"({', '.join(SUFFIXES)})"
                )


def _divided(whole: Ordered) -> dict[str, Ordered]:
    rest, test = stratified_split(whole.labels, TEST, SEED)
    return {
        half: Ordered(whole.images, whole.rows[own], whole.labels[own])
        for half, own in (("train", rest), ("test", test))
    }

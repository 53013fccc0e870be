"""Bring images into the canonical form, check them against their pins, write them."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from kdprune.data.canonical import SPLITS, Spec, Split
from kdprune.data.mapped import parts
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.records import write_json
from kdprune.sources.ordering import Ordered, ordered

ANEW = "fetch the files anew, or use another source"


def canonical(images: np.ndarray, labels: np.ndarray, where: str = "data") -> Split:
    """Sort images [N, side, side, 3] and labels [N] by their records.

    Raises KdpruneError, naming `where`, for other shapes and types.
    """
    split = ordered(images, labels, where)
    return split.images[split.rows], split.labels


def counted(spec: Spec, split: str, count: int, where: str, *, whole: bool = True) -> None:
    """Compare a count of images with the pinned one, before anything is made of them.

    Not `whole`: a part of the split, which may be smaller. Raises KdpruneError naming `where`.
    """
    pinned = spec.counts[split]
    if count > pinned or (whole and count != pinned):
        more = "" if whole else " so far"
        raise KdpruneError(
            f"{where}: {spec.name} {split} has {count} images{more}, not {pinned}; fetch the files "
            "anew, or use another source"
        )


def check(spec: Spec, split: str, held: Ordered, where: str) -> None:
    """Check a split against its pins. Raises KdpruneError naming `where` and the failed check."""
    problem, labels = None, held.labels
    present = set(np.unique(labels).tolist())
    missing = [name for label, name in enumerate(spec.classes) if label not in present]
    counted(spec, split, len(labels), where)
    if int(labels.max()) >= len(spec.classes):
        problem = f"has a label {int(labels.max())}; there are {len(spec.classes)} classes"
    elif missing:
        problem = f"has no image of class {missing[0]}"
    elif (pinned := spec.digests.get(split)) and (actual := _digest(held)) != pinned:
        problem = f"has SHA-256 {actual[:16]}…, not {pinned[:16]}…: images differ"
    if problem:
        raise KdpruneError(f"{where}: {spec.name} {split} {problem}; {ANEW}")


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """Return the SHA-256 of the records of a canonical split."""
    return _digest(Ordered(images, np.arange(len(images)), labels))


def _digest(split: Ordered) -> str:
    seen = hashlib.sha256()
    for records in _records(split):
        seen.update(records.data)
    return seen.hexdigest()


def statistics(images: np.ndarray) -> list[list[float]]:
    """Return mean and standard deviation per channel of images [N, side, side, 3], in 0..1."""
    return _statistics(_counts(images))


def _statistics(counts: np.ndarray) -> list[list[float]]:
    """Return mean and deviation of values by how often each of the 256 occurs, [3, 256].

    Counts instead of converting 150 million bytes: a tenth of time and memory, and whole-number
    sums, whose result no machine's order of summation can change.
    """
    total, values = counts[0].sum(), np.arange(256)
    mean = counts @ values / total
    variance = (counts @ values**2) / total - mean**2
    return [[round(float(x) / 255, 6) for x in row] for row in (mean, np.sqrt(variance))]


def _counts(images: np.ndarray) -> np.ndarray:
    return np.stack([np.bincount(images[..., k].ravel(), minlength=256) for k in range(3)])


def _records(split: Ordered) -> Iterator[np.ndarray]:
    """Yield the records of some images at a time: bytes [n, 1 + side * side * 3]."""
    begin = 0
    for images in parts(split.images, split.rows):
        labels = split.labels[begin : begin + len(images), None].astype(np.uint8)
        yield np.concatenate([labels, images.reshape(len(images), -1)], 1)
        begin += len(images)


def write(
    folder: Path,
    spec: Spec,
    splits: Mapping[str, Split | Ordered],
    where: str,
    *,
    size: int | None = None,
    crop: float = 1.0,
    views: str = "auto",
) -> None:
    """Sort, check and write the splits: two .npy files of each, and manifest.json.

    Networks see `size` pixels of the side, the share `crop` of it; `views` is how training images
    are augmented (data.augment). Nothing is written unless all checks pass, and no split is ever
    held as a whole. A `spec` without digests has none to be checked.
    Raises KdpruneError where a check fails, naming `where`.
    """
    ready = {
        split: given if isinstance(given, Ordered) else ordered(*given, where)
        for split in SPLITS
        if (given := splits.get(split)) is not None
    }
    for split, held in ready.items():
        check(spec, split, held, where)
    side = ready["train"].images.shape[1]
    with ExitStack() as written:
        digests, counts = {}, {}
        for split, held in ready.items():
            path = written.enter_context(replacing(folder / f"{split}_images.npy"))
            digests[split], counts[split] = _write_images(path, held)
            path = written.enter_context(replacing(folder / f"{split}_labels.npy"))
            with path.open("wb") as file:
                np.save(file, held.labels.astype(np.int64), allow_pickle=False)
        # without its manifest a folder is no data set: none of mixed halves after an interruption
        (folder / "manifest.json").unlink(missing_ok=True)
    mean, std = _statistics(counts["train"])
    manifest = {
        "dataset": spec.name,
        "classes": list(spec.classes),
        "images": {split: len(held.labels) for split, held in ready.items()},
        "sha256": digests,
        "side": side,
        "size": size or side,
        "crop": crop,
        "views": views,
        "mean": mean,
        "std": std,
    }
    write_json(folder / "manifest.json", manifest)


def _write_images(path: Path, split: Ordered) -> tuple[str, np.ndarray]:
    """Write images as an array [N, 3, side, side]; return the digest of their records, and how
    often each value occurs by channel, [3, 256].
    """
    seen, counts = hashlib.sha256(), np.zeros((3, 256), np.int64)
    side = split.images.shape[1]
    shape = len(split.rows), 3, side, side
    described = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, described)
        for records in _records(split):
            images = records[:, 1:].reshape(-1, side, side, 3)
            seen.update(records.data)
            counts += _counts(images)
            file.write(np.ascontiguousarray(images.transpose(0, 3, 1, 2)).data)
    return seen.hexdigest(), counts

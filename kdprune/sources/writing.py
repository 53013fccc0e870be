"""Bring images into the canonical form, check them against their pins, write them."""

import hashlib
from pathlib import Path

import numpy as np

from kdprune.data.canonical import SPLITS, Spec, Split
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.records import write_json


def canonical(images: np.ndarray, labels: np.ndarray, where: str = "data") -> Split:
    """Sort images [N, side, side, 3] and labels [N] by their records.

    Raises KdpruneError, naming `where`, for other shapes and types.
    """
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or not images.shape[1:] == (images.shape[1], images.shape[1], 3)
    ):
        raise KdpruneError(
            f"{where}: images are {images.dtype} {images.shape}, not bytes [N, side, side, 3]"
        )
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise KdpruneError(
            f"{where}: labels are {labels.dtype} {labels.shape}, not {len(images)} whole numbers"
        )
    if outside := labels[(labels < 0) | (labels > 255)].tolist():  # else a byte would hide it
        raise KdpruneError(f"{where}: there is a label {outside[0]}, which fits in no byte")
    length = 1 + images[0].size if len(images) else 1
    records = np.empty((len(images), length), np.uint8)
    records[:, 0] = labels
    records[:, 1:] = images.reshape(len(images), -1)
    records = np.sort(records.view(f"V{length}").ravel()).view(np.uint8).reshape(-1, length)
    return records[:, 1:].reshape(images.shape), records[:, 0]


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


def check(spec: Spec, split: str, images: np.ndarray, labels: np.ndarray, where: str) -> None:
    """Check a canonical split against its pins. Raises KdpruneError naming the failed check."""
    problem = None
    present = set(np.unique(labels).tolist())
    missing = [name for label, name in enumerate(spec.classes) if label not in present]
    counted(spec, split, len(images), where)
    if int(labels.max()) >= len(spec.classes):
        problem = f"has a label {int(labels.max())}; there are {len(spec.classes)} classes"
    elif missing:
        problem = f"has no image of class {missing[0]}"
    elif (actual := digest(images, labels)) != spec.digests[split]:
        problem = f"has SHA-256 {actual[:16]}…, not {spec.digests[split][:16]}…: images differ"
    if problem:
        raise KdpruneError(
            f"{where}: {spec.name} {split} {problem}; fetch the files anew, or use another source"
        )


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """Return the SHA-256 of the records of a canonical split."""
    records = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(len(images), -1)], 1)
    return hashlib.sha256(records.data).hexdigest()


def statistics(images: np.ndarray) -> list[list[float]]:
    """Return mean and standard deviation per channel of images [N, side, side, 3], in 0..1.

    Counts the 256 values instead of converting 150 million bytes: a tenth of time and memory, and
    whole-number sums, whose result no machine's order of summation can change.
    """
    counts = np.stack([np.bincount(images[..., k].ravel(), minlength=256) for k in range(3)])
    total, values = counts[0].sum(), np.arange(256)
    mean = counts @ values / total
    variance = (counts @ values**2) / total - mean**2
    return [[round(float(x) / 255, 6) for x in row] for row in (mean, np.sqrt(variance))]


def write(
    folder: Path,
    spec: Spec,
    splits: dict[str, Split],
    where: str,
    *,
    size: int | None = None,
    crop: float = 1.0,
    views: str = "auto",
) -> None:
    """Sort, check and write the splits: two .npy files of each, and manifest.json.

    Networks see `size` pixels of the side, the share `crop` of it; `views` is how training images
    are augmented (data.augment). Nothing is written unless all checks pass.
    Raises KdpruneError where one fails, naming `where`.
    """
    ready = {
        split: canonical(*splits[split], where)
        for split in SPLITS
        if split != "val" or split in splits
    }
    for split, (images, labels) in ready.items():
        check(spec, split, images, labels, where)
    mean, std = statistics(ready["train"][0])
    side = ready["train"][0].shape[1]
    # without its manifest a folder is no data set: none of mixed halves after an interruption
    (folder / "manifest.json").unlink(missing_ok=True)
    for split, (images, labels) in ready.items():
        _write_array(folder / f"{split}_images.npy", images.transpose(0, 3, 1, 2))
        _write_array(folder / f"{split}_labels.npy", labels.astype(np.int64))
    manifest = {
        "dataset": spec.name,
        "classes": list(spec.classes),
        "images": {split: len(labels) for split, (_, labels) in ready.items()},
        "sha256": spec.digests,
        "side": side,
        "size": size or side,
        "crop": crop,
        "views": views,
        "mean": mean,
        "std": std,
    }
    write_json(folder / "manifest.json", manifest)


def _write_array(path: Path, array: np.ndarray) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)

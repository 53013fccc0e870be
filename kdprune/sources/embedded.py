"""The subset of CIFAR-10 that comes with the repository (data/embedded): no network needed."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from kdprune.data.canonical import Spec, Split
from kdprune.errors import KdpruneError

FOLDER = Path("data/embedded")
COLUMNS = 20  # images in a row of a sheet


def fetch(spec: Spec, *, path: object, cache: Path, show: bool) -> dict[str, Split]:
    """Read the contact sheets, one lossless WebP per class and split."""
    return {split: _read(FOLDER / split, spec) for split in ("train", "test")}


def _read(folder: Path, spec: Spec) -> Split:
    images, labels = [], []
    for label, name in enumerate(spec.classes):
        sheet = folder / f"{name}.webp"
        try:
            with Image.open(sheet) as file:
                tiles = split_sheet(np.asarray(file.convert("RGB")))
        except (OSError, UnidentifiedImageError, ValueError) as error:
            raise KdpruneError(
                f"{sheet}: cannot be read ({error}); run `git checkout data/embedded` in the "
                "project's root"
            ) from None
        images.append(tiles)
        labels.append(np.full(len(tiles), label, np.uint8))
    return np.concatenate(images), np.concatenate(labels)


def split_sheet(sheet: np.ndarray) -> np.ndarray:
    """Cut a sheet [32 r, 32 c, 3] into its images [r c, 32, 32, 3], row by row."""
    rows, columns = sheet.shape[0] // 32, sheet.shape[1] // 32
    tiles = sheet.reshape(rows, 32, columns, 32, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(tiles).reshape(-1, 32, 32, 3)


def make_sheet(images: np.ndarray) -> np.ndarray:
    """Lay images [N, 32, 32, 3] out on a sheet of 20 columns; N must be a multiple of 20."""
    rows = len(images) // COLUMNS
    tiles = images.reshape(rows, COLUMNS, 32, 32, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(tiles).reshape(rows * 32, COLUMNS * 32, 3)

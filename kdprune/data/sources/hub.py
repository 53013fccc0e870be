"""The Hugging Face Hub's copies: parquet files of PNG images."""

import io
import os
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image, UnidentifiedImageError

from kdprune.data.canonical import Spec, Split
from kdprune.data.sources.transfer import download
from kdprune.errors import KdpruneError

BASE = "https://huggingface.co"
VARIABLE = "HF_ENDPOINT"  # the Hub's own variable for mirrors
PLACES = {  # repository, folder, label column
    "cifar10": ("uoft-cs/cifar10", "plain_text", "label"),
    "cifar100": ("uoft-cs/cifar100", "cifar100", "fine_label"),
}


def fetch(spec: Spec, *, path: object, cache: Path, show: bool) -> dict[str, Split]:
    """Download both splits' parquet files and decode them."""
    repository, folder, column = PLACES[spec.name]
    base = os.environ.get(VARIABLE, BASE).rstrip("/")
    splits = {}
    for split in ("train", "test"):
        name = f"{split}-00000-of-00001.parquet"
        url = f"{base}/datasets/{repository}/resolve/main/{folder}/{name}"
        file = download(url, cache / f"{spec.name}-{name}", limit=400 * 2**20, show=show)
        try:
            splits[split] = _read(file, column)
        except (pyarrow.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
            file.unlink(missing_ok=True)  # else the next attempt would read the same again
            reason = str(error).splitlines()[0]
            raise KdpruneError(f"{url}: holds no images as expected ({reason})") from None
    return splits


def _read(file: Path, column: str) -> Split:
    table = pyarrow.parquet.read_table(file, columns=["img", column])
    images = np.empty((table.num_rows, 32, 32, 3), np.uint8)
    for row, item in enumerate(table["img"].to_pylist()):
        try:
            with Image.open(io.BytesIO(item["bytes"])) as image:
                images[row] = np.asarray(image.convert("RGB"))
        except UnidentifiedImageError:
            raise ValueError(f"row {row} is no image") from None
    return images, table[column].to_numpy().astype(np.uint8)

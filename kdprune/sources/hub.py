"""The Hugging Face Hub's copies: parquet files of PNG images."""

import io
import os
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image, UnidentifiedImageError

from kdprune.data.canonical import Spec, Split
from kdprune.errors import KdpruneError
from kdprune.sources.archives import LARGEST
from kdprune.sources.transfer import download, shown

BASE = "https://huggingface.co"
VARIABLE = "HF_ENDPOINT"  # the Hub's own variable for mirrors
PLACES = {  # repository, folder, label column
    "cifar10": ("uoft-cs/cifar10", "plain_text", "label"),
    "cifar100": ("uoft-cs/cifar100", "cifar100", "fine_label"),
}


def fetch(spec: Spec, *, path: object, cache: Path, show: bool) -> dict[str, Split]:
    """Download both splits' parquet files and decode them."""
    repository, folder, column = PLACES[spec.name]
    base = (os.environ.get(VARIABLE) or BASE).rstrip("/")
    splits = {}
    for split in ("train", "test"):
        name = f"{split}-00000-of-00001.parquet"
        url = f"{base}/datasets/{repository}/resolve/main/{folder}/{name}"
        file = download(url, cache / f"{spec.name}-{name}", show=show)
        try:
            splits[split] = _read(file, column)
        except (pyarrow.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise KdpruneError(f"{shown(url)}: holds no images as expected ({reason})") from None
    return splits


def _read(file: Path, column: str) -> Split:
    with pyarrow.parquet.ParquetFile(file) as parquet:
        described = parquet.metadata
        groups = [described.row_group(number) for number in range(described.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > LARGEST:
            raise ValueError(f"it expands beyond {LARGEST >> 20} MiB")
        table = parquet.read(columns=["img", column])
    images = np.empty((table.num_rows, 32, 32, 3), np.uint8)
    for row, item in enumerate(table["img"].to_pylist()):
        try:
            with Image.open(io.BytesIO(item["bytes"]), formats=["PNG"]) as image:
                if image.size != (32, 32):
                    raise ValueError(f"the image in row {row} has {image.size} pixels")
                images[row] = np.asarray(image.convert("RGB"))
        except (UnidentifiedImageError, Image.DecompressionBombError):
            raise ValueError(f"row {row} is no PNG image") from None
    return images, table[column].to_numpy()

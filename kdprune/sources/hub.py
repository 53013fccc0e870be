"""The Hugging Face Hub's copies: parquet files of PNG images."""

import io
import os
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

from kdprune.data.canonical import Spec, Split
from kdprune.errors import KdpruneError
from kdprune.sources.archives import LARGEST
from kdprune.sources.transfer import download, shown
from kdprune.sources.writing import counted

BASE = "https://huggingface.co"
VARIABLE = "HF_ENDPOINT"  # the Hub's own variable for mirrors
SNAPPY = 22  # how many times a file's bytes Snappy can hold
ROOM = 2**27  # bytes; Arrow takes some times as much while a column grows
LARGEST_IMAGE = 2**16  # bytes of one PNG; 32 x 32 x 3 uncompressed are 3,072
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
        splits[split] = decode(spec, split, file, column, shown(url))
    return splits


def decode(spec: Spec, split: str, file: Path, column: str, where: str) -> Split:
    """Decode a split's parquet file. Raises KdpruneError, naming `where`, for any other file."""
    try:
        return _read(spec, split, file, column, where)
    except KdpruneError:
        raise
    except Exception as error:  # damaged files raise anything, in Arrow's readers and Pillow's
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise KdpruneError(f"{where}: holds no images as expected ({reason})") from None


def _read(spec: Spec, split: str, file: Path, column: str, where: str) -> Split:
    """Decode a parquet file, as many rows at a time as `_at_once` has room for."""
    with pyarrow.parquet.ParquetFile(
        file, thrift_string_size_limit=2**24, thrift_container_size_limit=2**20
    ) as parquet:
        counted(spec, split, parquet.metadata.num_rows, where)
        _require_plain(parquet, column, file.stat().st_size)
        rows = parquet.metadata.num_rows
        images, labels = np.empty((rows, 32, 32, 3), np.uint8), np.empty(rows, np.int64)
        row, step = 0, _at_once(parquet)
        for part in parquet.iter_batches(step, columns=["img.bytes", column], use_threads=False):
            if row + len(part) > rows:
                raise ValueError(f"it holds more rows than the {rows} that it says")
            labels[row : row + len(part)] = part[column].to_numpy()
            for content in part["img"].field("bytes"):
                images[row] = _image(content, row)
                row += 1
    counted(spec, split, row, where)
    return images, labels


def _require_plain(parquet: pyarrow.parquet.ParquetFile, column: str, size: int) -> None:
    """Raise ValueError unless the file has the Hub's columns, packed no tighter than the Hub does.

    A footer can lie about sizes, and then Arrow takes what a page says. Snappy, by which the Hub
    packs, gives at most some twenty times a file's bytes; others a thousand times and more.
    """
    described, schema = parquet.metadata, parquet.schema_arrow
    image, label = schema.field("img").type, schema.field(column).type
    if not pyarrow.types.is_struct(image) or image.field("bytes").type != pyarrow.binary():
        raise ValueError(f"its images are {str(image)[:60]}, not bytes")
    if not pyarrow.types.is_integer(label):
        raise ValueError(f"its labels are {str(label)[:60]}, not whole numbers")
    groups = [described.row_group(number) for number in range(described.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    if odd := {chunk.compression for chunk in chunks} - {"SNAPPY", "UNCOMPRESSED"}:
        raise ValueError(f"it is packed by {min(odd)}, not by SNAPPY")
    if sum(max(0, chunk.total_uncompressed_size) for chunk in chunks) > LARGEST:
        raise ValueError(f"it expands beyond {LARGEST >> 20} MiB")


def _at_once(parquet: pyarrow.parquet.ParquetFile) -> int:
    """Return how many rows fit into ROOM, were each as long as its packed column could become.

    For many rows may share one long value, which Arrow repeats for each.
    """
    groups = [parquet.metadata.row_group(n) for n in range(parquet.metadata.num_row_groups)]
    packed = [
        group.column(n).total_compressed_size for group in groups for n in range(group.num_columns)
    ]
    return max(1, min(64, ROOM // (SNAPPY * max([1, *packed]))))


def _image(content: pyarrow.Scalar, row: int) -> np.ndarray:
    """Decode one PNG image of 32 x 32. Raises ValueError for anything else, naming the row."""
    length = content.as_buffer().size if content.is_valid else 0
    if not 0 < length <= LARGEST_IMAGE:
        raise ValueError(f"row {row} has {length:,} bytes; an image has up to {LARGEST_IMAGE:,}")
    try:
        with Image.open(io.BytesIO(content.as_py()), formats=["PNG"]) as image:
            if image.size == (32, 32):
                return np.asarray(image.convert("RGB"))
            shape = image.size
    except Exception:  # Pillow raises SyntaxError, zlib.error and more, as the damage has it
        raise ValueError(f"row {row} is no whole PNG image") from None
    raise ValueError(f"the image in row {row} has {shape} pixels")

"""Parquet files as the Hub has them, and others, mutated: read, or refused in one line."""

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

from benchmarks.fuzz.images import damaged, one_line
from kdprune.data.canonical import CIFAR10_CLASSES, Spec
from kdprune.errors import KdpruneError
from kdprune.sources import hub

COUNT = 12
SPEC = Spec("cifar10", CIFAR10_CLASSES, {"train": COUNT, "test": COUNT}, {})


def cases(rng: random.Random) -> Iterator[bytes]:
    """Yield parquet files: of other counts, types, packings and images, or damaged."""
    while True:
        count = rng.choice((COUNT, COUNT, COUNT, COUNT, 0, COUNT + 1))
        where = rng.randrange(4)
        images = [_png(rng) for _ in range(count)]
        if where == 0 and count:
            images[rng.randrange(count)] = damaged(rng, images[0])
        if where == 1 and count and rng.random() < 0.5:
            images[rng.randrange(count)] = None
        labels = [rng.choice((rng.randrange(10), rng.randrange(10), None)) for _ in images]
        labels = [0 if label is None and where != 1 else label for label in labels]
        column = pyarrow.array([{"bytes": each, "path": None} for each in images], KIND)
        table: dict[str, Any] = {"img": column, "label": pyarrow.array(labels, rng.choice(TYPES))}
        if rng.random() < 0.05:
            table = {"img": table["label"], "label": column}
        sink = io.BytesIO()
        packing = rng.choice(("snappy", "snappy", "snappy", "none", "zstd", "gzip"))
        plain = rng.random() < 0.5
        pyarrow.parquet.write_table(
            pyarrow.table(table),
            sink,
            compression=packing,
            use_dictionary=plain,
            row_group_size=rng.choice((5, 100)),
        )
        content = sink.getvalue()
        yield (
            _damaged_end(rng, content)
            if where == 2
            else (damaged(rng, content) if where == 3 else content)
        )


KIND = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
TYPES = (pyarrow.int64(), pyarrow.int64(), pyarrow.int8(), pyarrow.float64())


def _png(rng: random.Random) -> Any:
    file = io.BytesIO()
    Image.frombytes("RGB", (32, 32), rng.randbytes(3072)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _damaged_end(rng: random.Random, content: bytes) -> bytes:
    """Damage the footer, where the sizes and the columns are described."""
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    footer = damaged(rng, content[begin:-8])
    return content[:begin] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def attempt(rng: random.Random, folder: Path) -> str:
    """Make a case in `folder` and read it: "right" or "refused". Raises for anything else."""
    file = folder / "train.parquet"
    file.write_bytes(next(cases(rng)))
    try:
        images, labels = hub.decode(SPEC, "train", file, "label", "train.parquet")
    except KdpruneError as error:
        return one_line(error)
    if images.shape != (COUNT, 32, 32, 3) or labels.shape != (COUNT,) or labels.dtype != np.int64:
        raise AssertionError(f"images {images.shape}, labels {labels.shape} {labels.dtype}")
    return "right"

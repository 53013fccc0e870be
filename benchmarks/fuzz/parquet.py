"""Parquet files as the Hub has them, and others, mutated: read, or refused in one line."""

import io
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from images import damaged
from PIL import Image

from kdprune.data.canonical import CIFAR10_CLASSES, Spec
from kdprune.sources import hub

COUNT = 12
SPEC = Spec("cifar10", CIFAR10_CLASSES, {"train": COUNT, "test": COUNT}, {})


def cases(rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield what was done and a parquet file: of any counts, types and packings, or damaged."""
    while True:
        count = rng.choice((COUNT, COUNT, COUNT, COUNT, 0, COUNT + 1))
        where = rng.randrange(4)
        images = [_png(rng) for _ in range(count)]
        if where == 0 and count:
            images[rng.randrange(count)] = damaged(rng, images[0])
        if where == 1 and count and rng.random() < 0.5:
            images[rng.randrange(count)] = None
        labels = [rng.randrange(10) if rng.random() < 0.95 else None for _ in images]
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
        if where >= 2:
            content = _damaged_end(rng, content) if where == 2 else damaged(rng, content)
        yield ("an image", "values", "footer", "anywhere")[where], content


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


def inputs(generator: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield mutated files without end."""
    file = folder / "train.parquet"
    for kind, content in cases(generator):
        file.write_bytes(content)
        yield kind, partial(read, file)


def read(file: Path) -> None:
    """Read the file; assert that what was taken are as many images and labels as there must be."""
    images, labels = hub.decode(SPEC, "train", file, "label", "train.parquet")
    assert (images.shape, images.dtype) == ((COUNT, 32, 32, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((COUNT,), np.int64)

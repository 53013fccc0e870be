"""Small files that would grow, by the way they are given to kdprune: made here, met in a child."""

import gzip
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Callable

import numpy as np
import pyarrow
import pyarrow.parquet
from data_files import archive, files, number, png, small, text


def rows(count: int, value: bytes | None = None, **options) -> bytes:
    """A parquet file of one value, `count` times."""
    value = png(np.zeros((32, 32, 3), np.uint8)) if value is None else value
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    items = pyarrow.array([{"bytes": value, "path": None}], kind)
    indices = pyarrow.array(np.zeros(count, np.int32))
    table = {
        "img": items.take(indices) if len(value) * count < 2**28 else _shared(value, count),
        "label": pyarrow.array(np.arange(count) % 10),
    }
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(table), sink, store_schema=False, **options)
    return sink.getvalue()


def _shared(value: bytes, count: int) -> pyarrow.StructArray:
    shared = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array(np.zeros(count, np.int32)), pyarrow.array([value], pyarrow.binary())
    )
    return pyarrow.StructArray.from_arrays([shared], ["bytes"])


def batch(labels: bytes) -> bytes:
    """A python batch whose labels are what these instructions leave; they follow a key."""
    whole = files("cifar10", "python", small("cifar10")[1])["test_batch"]
    begin, end = whole.index(text(b"labels")), whole.index(text(b"data"))
    return whole[:begin] + labels + whole[end:]


def doubled(depth: int, end: bytes = b"e", last: bytes = text(b"labels")) -> bytes:
    """Lists (or tuples) of twice the one before: 2^depth numbers to who follows them all.

    Each is the value of a key of its own, the deepest that of `last`.
    """
    made, empty = b"", b"]" if end == b"e" else b""
    for level in range(depth):
        inner = b"h" + bytes([99 + level]) if level else b"K\x01"
        made += text(b"x%d" % level) if level < depth - 1 else last
        made += empty + b"(" + inner * 2 + end + b"q" + bytes([100 + level])
    return made


def image(width: int, height: int, colour: int = 6) -> bytes:
    """A PNG of zeros, packed a thousandfold: RGBA by default."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    packer = zlib.compressobj(9)
    row = bytes(1 + width * channels)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png_of(struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0), packed)


def png_of(header: bytes, packed: bytes, *more: tuple[bytes, bytes]) -> bytes:
    chunks = [(b"IHDR", header), *more, (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))
        for name, held in chunks
    )


def zeros(member: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """An archive with one member of zeros."""
    info = tarfile.TarInfo(member)
    info.size, info.type = size, kind
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as stream:
        stream.write(info.tobuf())
        for _ in range(size >> 20):
            stream.write(bytes(2**20))
        stream.write(bytes(1024))
    return packed.getvalue()


def nested_json() -> bytes:
    """The npm package, its labels a list in a list, 100,000 deep."""
    sheet = png(np.zeros((100, 1024, 3), np.uint8))
    held = {f"data_batch_{n}.png": png(np.zeros((20, 1024, 3), np.uint8)) for n in range(1, 6)}
    held |= {"test_batch.png": sheet, "test_lables.json": json.dumps([0] * 100).encode()}
    return archive("package", held | {"train_lables.json": b"[" * 100_000 + b"]" * 100_000})


BIN = "cifar-10-binary.tar.gz"
# name: (how it is given, the file or files, what is said)
BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "parquet: one PNG a million times": ("hub", lambda: rows(10**6), "has 1000000 images, not 100"),
    "parquet: two million rows": ("hub", lambda: rows(2 * 10**6, b""), "has 2000000 images"),
    "parquet: a long value, shared": (
        "hub",
        lambda: rows(100, bytes(2**25)),
        "row 0 has 33,554,432",
    ),
    "parquet: packed by zstd": (
        "hub",
        lambda: rows(100, bytes(2**25), compression="zstd"),
        "packed by ZSTD",
    ),
    "batch: lists of 2^27": (
        "python",
        lambda: batch(doubled(27)),
        "a list of 2, not a list of 100",
    ),
    "batch: tuples of 2^27": ("python", lambda: batch(doubled(27, b"t")), "labels are tuple"),
    "batch: a key of 2^60": (
        "python",
        lambda: batch(
            doubled(60, b"t", text(b"x")) + text(b"labels") + b"}h" + bytes([159]) + b"K\x01s"
        ),
        "a tuple where a bytes belongs",
    ),
    "batch: LONG_BINPUT 2^27": (
        "python",
        lambda: batch(text(b"labels") + b"]r" + struct.pack("<I", 2**27)),
        "notes a value as number 134,217,728",
    ),
    "batch: a string of 2^31": (
        "python",
        lambda: batch(text(b"labels") + b"T" + struct.pack("<i", 2**31 - 1)),
        "cut short",
    ),
    "batch: endless instructions": (
        "python",
        lambda: batch(text(b"labels") + b"](" + number(1) * 2**21 + b"e"),
        "more than 1,048,576 instructions",
    ),
    "tar: a member of 200 MB": (
        "archive",
        lambda: zeros("cifar-10-batches-bin/data_batch_1.bin", 200 * 2**20),
        "said to have 209,715,200 bytes",
    ),
    "tar: an allowed member of zeros": (
        "archive",
        lambda: zeros("cifar-10-batches-bin/data_batch_1.bin", 190 * 2**20),
        "lacks cifar-10-batches-bin/data_batch_2.bin",
    ),
    "tar: a header of 300 MB": (
        "archive",
        lambda: zeros("x", 300 * 2**20, tarfile.XHDTYPE),
        "a header of 314,572,800 bytes",
    ),
    "npm: labels nested": ("npm", nested_json, "holds no images as expected"),
    "image: 900 million pixels": ("image", lambda: image(30_000, 30_000, 0), "it is huge"),
    "image: 49 million pixels, RGBA": ("image", lambda: image(7_000, 7_000), "read"),
}

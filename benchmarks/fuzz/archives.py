"""Archives of both official layouts, mutated packed, unpacked and within: read, or refused."""

import gzip
import io
import random
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from images import damaged

from kdprune.data.canonical import CIFAR10_CLASSES, Spec
from kdprune.sources import archives, batches, layouts

COUNT = 10  # images a file
SPEC = Spec("cifar10", CIFAR10_CLASSES, {"train": 5 * COUNT, "test": COUNT}, {})


def cases(rng: random.Random) -> Iterator[tuple[str, str, bytes]]:
    """Yield what was damaged (files, headers, the whole as packed), a layout and an archive."""
    while True:
        layout = rng.choice(("binary", "python"))
        where = rng.randrange(4)
        tar = io.BytesIO()
        kind = rng.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
        with tarfile.open(fileobj=tar, mode="w", format=kind) as archive:
            for names in layouts.files("cifar10", layout).values():
                for name in names:
                    made = batch(rng) if layout == "python" else rng.randbytes(COUNT * 3073)
                    content = damaged(rng, made) if where == 0 else made
                    info = tarfile.TarInfo(f"{layouts.FOLDERS['cifar10', layout]}/{name}")
                    info.size, info.mtime = len(content), rng.choice((0, 1.5))
                    archive.addfile(info, io.BytesIO(content))
        content = tar.getvalue()
        if where == 1:
            content = headers(rng, content)
        packed = gzip.compress(content, 1)
        content = damaged(rng, packed) if where == 2 else packed
        yield f"{layout}, {('files', 'headers', 'packing', 'whole')[where]}", layout, content


def headers(rng: random.Random, content: bytes) -> bytes:
    """Change fields of some headers, with checksums that hold."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(0, len(changed), 512)
        field = rng.choice(((0, 100), (124, 12), (156, 1), (257, 8), (345, 155)))
        begin = place + field[0] + rng.randrange(field[1])
        changed[begin : begin + 1] = rng.choice((b"\x80", b"7", b"x", b"g", b"L", b"/", b"."))
        changed[place + 148 : place + 156] = b" " * 8
        checksum = sum(changed[place : place + 512])
        changed[place + 148 : place + 156] = b"%06o\0 " % checksum
    return bytes(changed)


def batch(rng: random.Random) -> bytes:
    """A python batch of random pixels, in the instructions of the official ones."""
    labels = b"".join(b"K" + bytes([rng.randrange(10)]) for _ in range(COUNT))
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85U\x01b\x87R"
    array += b"(K\x01K" + bytes([COUNT]) + b"M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
    array += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x00\x78\x00\x00"
    array += rng.randbytes(COUNT * 3072) + b"tb"
    return b"\x80\x02}q\x01(U\x06labels](" + labels + b"eU\x04data" + array + b"u."


def inputs(generator: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield mutated archives without end."""
    file = folder / "a.tar.gz"
    for kind, layout, content in cases(generator):
        file.write_bytes(content)
        yield kind, partial(read, file, layout)


def read(file: Path, layout: str) -> None:
    """Read the archive; assert that what was taken are images and labels of the right counts."""
    names = [name for each in layouts.files("cifar10", layout).values() for name in each]
    held = archives.members(file, layouts.FOLDERS["cifar10", layout], names)
    for split, (images, labels) in layouts.read(SPEC, layout, held.__getitem__).items():
        count = SPEC.counts[split]
        assert (images.shape, images.dtype) == ((count, 32, 32, 3), np.uint8)
        batches.flat(labels.tolist(), count)

"""Image files, mutated: read, or refused in one line."""

import io
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from kdprune.sources import pictures

FORMATS = (
    "PNG",
    "JPEG",
    "WEBP",
    "BMP",
    "GIF",
    "TIFF",
    "PPM",
    "AVIF",
    "DDS",
    "SPIDER",
    "TGA",
    "ICO",
)
MODES = ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "F")


def cases(rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield a format and a file of it, of some mode, damaged in some places."""
    while True:
        mode, form = rng.choice(MODES), rng.choice(FORMATS)
        size = (rng.randint(1, 70), rng.randint(1, 70))
        image = Image.frombytes("RGB", size, rng.randbytes(3 * size[0] * size[1]))
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) << 8)
        elif mode != "RGB":
            image = image.convert(mode)
        exif = Image.Exif()
        exif[0x0112] = rng.randint(0, 9)
        file = io.BytesIO()
        try:
            image.save(file, form, exif=exif.tobytes()) if form in ("PNG", "JPEG") else image.save(
                file, form
            )
        except Exception:  # a format that has no such mode
            continue
        yield form, damaged(rng, file.getvalue())


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Return `content` whole, cut, or with some bytes changed, doubled or left out."""
    changed = bytearray(content)
    for _ in range(rng.choice((0, 1, 1, 2, 5, 50))):
        place = rng.randrange(max(1, min(len(changed), rng.choice((40, 400, 10**9)))))
        kind = rng.randrange(5)
        if kind == 0:
            changed[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            changed[place : place + 4] = rng.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
        elif kind == 2:
            del changed[place : place + rng.randint(1, 20)]
        elif kind == 3:
            changed[place:place] = changed[place : place + rng.randint(1, 20)]
        elif rng.random() < 0.3:
            del changed[place:]
    return bytes(changed)


def inputs(generator: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield mutated files without end."""
    file = folder / "image.png"
    for form, content in cases(generator):
        file.write_bytes(content)
        yield form, partial(read, file)


def read(file: Path) -> None:
    """Read the file; assert that what was taken is an image as it is stored."""
    image = pictures.read(file)
    assert (image.shape, image.dtype) == ((32, 32, 3), np.uint8)

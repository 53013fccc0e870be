"""An image file as the networks see it: upright, RGB, square."""

import contextlib
import functools
import io
import os
import re
import statistics
import threading
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from PIL import ExifTags, Image, ImageOps

from kdprune.errors import KdpruneError
from kdprune.records import require_regular
from kdprune.sources import silence, tiles

SIZE = 32
LOOKED = 100  # images whose size is asked for
BACKGROUND = (255, 255, 255)  # what shows through transparency: white, as paper and most pages
MOST = 50_000_000  # pixels of a file; Pillow takes four bytes for each, and some copies are made
MANY = 2**24  # pixels beyond which a file is read alone
DIM = 2**14  # a 16-bit image all below this has fewer bits than its file says, or hardly any light
# Readers that are let at a file. Pillow's others (some call other programs) are never tried.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "AVIF")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
CUT = re.compile(r"truncated|unexpected end|not enough|broken PNG|Truncated", re.IGNORECASE)
SCALED = re.compile(
    r"'ppm'.*\('L', (?!65535)"
)  # a PGM that states its white: Pillow has scaled by it
ALONE = threading.Lock()

# Pillow warns of damaged notes and odd palettes, two lines each, and goes on
warnings.filterwarnings("ignore", module=r"PIL\.")


class Unusable(ValueError):
    """Why an image that Pillow reads cannot be used."""


def read(path: str | Path, side: int = SIZE) -> np.ndarray:
    """Return an image file as bytes [side, side, 3]. Raises KdpruneError, saying what is wrong.

    It is turned as its camera noted (left as it is where the note is damaged), converted to RGB
    (palettes looked up, grey repeated, transparency laid on white, 16 bits scaled to 8), cropped
    at the middle to a square, and resized by bicubic interpolation with antialiasing; one that
    has that size keeps its pixels. Of an animation, the first frame.
    """
    try:
        require_regular(path)
        return _opened(path, side)
    except Exception as error:  # damage makes Pillow's readers raise anything, even AttributeError
        raise KdpruneError(f"{shown(path)}: cannot be read ({_reason(error)})") from None


def decode(content: bytes, where: str, side: int = SIZE) -> np.ndarray:
    """Return what `read` does, of a file's bytes; `where` names them in a KdpruneError."""
    try:
        return _opened(io.BytesIO(content), side)
    except Exception as error:
        raise KdpruneError(f"{shown(where)}: cannot be read ({_reason(error)})") from None


def _opened(file: str | Path | IO[bytes], side: int) -> np.ndarray:
    with Image.open(file, formats=_formats()) as image:
        if image.format == "TIFF":
            silence.libtiff()
            if fault := tiles.fault(image, MOST):
                raise Unusable(fault)
        if image.width * image.height <= MANY:
            return _small(image, side)
        if image.width * image.height > MOST:
            size = f"{image.width:,} x {image.height:,}"
            raise Unusable(f"it is huge, {size} pixels; shrink it to {MOST // 10**6} million")
        with ALONE:  # of many threads, else each would hold as much
            return _small(image, side)


def usual_size(paths: Iterable[str | Path]) -> int:
    """Return the side at which images are best looked at: a multiple of 32, from 32 to 224 pixels.

    That is the median of the shorter sides of some of them, or the next below.
    """
    some = sorted(paths, key=str)
    sides = []
    for path in some[:: max(1, len(some) // LOOKED)]:
        with contextlib.suppress(Exception):  # `read` tells of them
            require_regular(path)
            with Image.open(path, formats=_formats()) as image:
                sides.append(min(image.size))
    middle = int(statistics.median(sides)) if sides else SIZE
    return min(224, max(32, middle // 32 * 32))


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return those of FORMATS that this Pillow was built with."""
    Image.init()  # else Pillow knows few, and fails on the names of others
    return tuple(name for name in FORMATS if name in Image.OPEN)


def shown(path: str | Path) -> str:
    """Return a path as a terminal can show it: what is no text, or steers a terminal, escaped."""
    return "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in os.fspath(path)
    )


def _reason(error: Exception) -> str:
    if isinstance(error, Unusable):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, Image.DecompressionBombError):
        return f"it is huge; shrink it to {MOST // 10**6} million pixels"
    if isinstance(error, MemoryError):
        return "memory is too short for it"
    if isinstance(error, EOFError) or CUT.search(str(error)):
        return "it is cut short or damaged"
    return "no image that is read here: " + ", ".join(_formats())


def _small(image: Image.Image, side: int) -> np.ndarray:
    packed = str(getattr(image, "tile", ""))  # forgotten once it is loaded
    image.load()
    upright = _rgb(_upright(image), packed)
    return np.array(ImageOps.fit(upright, (side, side), Image.Resampling.BICUBIC))


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged note about whole pixels, of which Pillow raises anything
        return image
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image, packed: str) -> Image.Image:
    if image.mode == "F":
        raise Unusable("floating-point values have no known white; save it with 8 bits")
    if image.mode.startswith("I"):
        image = _grey(image, packed)
    elif ";16" in packed:  # colour, of which Pillow has dropped the lower byte
        colours = 1 if image.mode.startswith("L") else 3
        _require_bright(int(np.asarray(image)[..., :colours].max()) << 8 | 255)
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image if image.mode == "RGBA" else image.convert("RGBA")
    flat = Image.new("RGB", layered.size, BACKGROUND)
    flat.paste(layered, mask=layered.getchannel("A"))
    return flat


def _grey(image: Image.Image, packed: str) -> Image.Image:
    """Scale grey of 16 bits, or of as many as the file states, to 8: Pillow would clip at 255."""
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65_535:
        raise Unusable(f"its values go from {low} to {high}, and its white is unknown; use 8 bits")
    stated = _stated(image)
    if stated and high <= stated < 65_535:
        floats = np.multiply(values, np.float32(255 / stated), dtype=np.float32)
        scaled = np.rint(floats, out=floats).astype(np.uint8)
    else:
        if not SCALED.search(packed):
            _require_bright(high)
        scaled = (values >> 8).astype(np.uint8)
    return Image.fromarray(scaled)


def _stated(image: Image.Image) -> int | None:
    """Return the value of white that a TIFF states: its bits per sample, or its largest sample."""
    tags = getattr(image, "tag_v2", {})
    bits, largest = tags.get(258, (16,)), tags.get(281)
    if largest:
        return int(largest[0] if isinstance(largest, tuple) else largest)
    return 2 ** int(bits[0] if isinstance(bits, tuple) else bits) - 1


def _require_bright(high: int) -> None:
    if 0 < high < DIM:
        raise Unusable(
            f"its 16-bit values go up to {high} only, so that it would be dark; if they have fewer "
            "bits, scale them and save it with 8"
        )

"""An image file as the networks see it: upright, RGB, 32 x 32."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kdprune.errors import KdpruneError

SIZE = 32
FAULTS = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)


def read(path: str | Path) -> np.ndarray:
    """Return an image file as bytes [32, 32, 3]. Raises KdpruneError where Pillow fails.

    It is turned as its camera noted, converted to RGB (palettes looked up, grey repeated,
    transparency dropped), cropped at the middle to a square, and resized by bicubic interpolation
    with antialiasing; one that is 32 x 32 keeps its pixels. Of an animation, the first frame.
    """
    try:
        with Image.open(path) as image:
            upright = _rgb(ImageOps.exif_transpose(image))
    except FAULTS as error:
        reason = getattr(error, "strerror", None) or "no image that Pillow reads"
        raise KdpruneError(f"{path}: cannot be read ({reason})") from None
    return np.array(ImageOps.fit(upright, (SIZE, SIZE), Image.Resampling.BICUBIC))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # grey of 16 bits, which Pillow would clip at 255
        values = np.clip(np.asarray(image, dtype=np.int64), 0, 65_535)
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point values have no known white")
    return image.convert("RGB")

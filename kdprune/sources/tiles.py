"""The tiles of a TIFF, each of which is unpacked as a whole, however little of it is image."""

import struct
from collections.abc import Iterator
from typing import IO

from PIL.ImageFile import ImageFile

WIDE, HIGH = 322, 323  # the tags of a tile's size
# Types of one number that stands in the entry itself, as struct has them; of a BigTIFF also 16
PLAIN = {3: "H", 4: "I"}
MANY = 4096  # entries; libtiff takes no more of a BigTIFF


def fault(image: ImageFile, most: int) -> str:
    """Say what is wrong with the tiles of an open TIFF, "" where nothing is.

    One may have `most` pixels, or twice those of the image: tiles are padded. The file's entries
    are read here, since libtiff believes some that Pillow skips.
    """
    sides: dict[int, int] = {}
    for tag, side in _entries(image.fp) if image.fp else ():
        if side is None or tag in sides:
            return "it states the size of its tiles in an odd way; save it without tiles"
        sides[tag] = side
    wide, high = (sides.get(tag, 0) for tag in (WIDE, HIGH))
    if wide * high > max(most, 2 * image.width * image.height):
        return f"its tiles are huge, {wide:,} x {high:,} pixels; save it without tiles"
    return ""


def _entries(file: IO[bytes]) -> Iterator[tuple[int, int | None]]:
    """Yield the tags of tiles' sizes in a TIFF's first directory, and each size where it is plain.

    A file that is cut short yields what it has: Pillow tells of it.
    """
    place = file.tell()
    try:
        file.seek(0)
        head = file.read(16)
        order, big = "<" if head[:2] == b"II" else ">", 43 in head[2:4]
        (begin,) = struct.unpack(order + ("Q" if big else "I"), head[8:] if big else head[4:8])
        file.seek(begin)
        counted, entry = order + ("Q" if big else "H"), order + ("HHQ8s" if big else "HHI4s")
        plain = PLAIN | ({16: "Q"} if big else {})
        (count,) = struct.unpack(counted, file.read(struct.calcsize(counted)))
        for _ in range(min(count, MANY) if big else count):
            tag, kind, values, held = struct.unpack(entry, file.read(struct.calcsize(entry)))
            if tag in (WIDE, HIGH):
                form = plain.get(kind) if values == 1 else None
                yield tag, struct.unpack_from(order + form, held)[0] if form else None
    except (struct.error, OSError, OverflowError, ValueError):
        return
    finally:
        file.seek(place)

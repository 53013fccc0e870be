"""What a data set's manifest may say: images are cut, named and normalised by it."""

from collections.abc import Mapping
from typing import Any

# As the parameters and the metadata of a checkpoint have it
SMALLEST, LARGEST, WHOLE = 8, 512, 1024  # pixels that networks see, and of the side
VIEWS = ("auto", "crop", "resized")
LEAST = {"mean": 0, "std": 1e-6}
LONGEST = 255  # characters of a class


def views(manifest: Mapping[str, Any]) -> tuple[int, str]:
    """Return `size` and `views`. Raises ValueError for ones by which no image could be cut."""
    size, kind = manifest["size"], manifest["views"]
    side = manifest.get("side", size)
    fits = type(size) is type(side) is int and SMALLEST <= size <= min(side, LARGEST)
    if not fits or side > WHOLE:
        raise ValueError(
            f"networks see {size!r:.20} of {side!r:.20} pixels, and may {SMALLEST} to {LARGEST} of "
            f"at most {WHOLE}"
        )
    if kind not in VIEWS:
        raise ValueError(f"views are {kind!r:.20}, and may be {', '.join(VIEWS)}")
    return size, kind


def facts(manifest: Mapping[str, Any]) -> tuple[tuple[Any, ...], ...]:
    """Return classes, mean and std. Raises ValueError for ones that name or normalise nothing."""
    classes = manifest["classes"]
    if not isinstance(classes, list) or len(set(classes)) < len(classes):
        raise ValueError("classes are no list of different names")
    for name in classes:
        if not (isinstance(name, str) and name.isprintable() and 1 <= len(name) <= LONGEST):
            raise ValueError(f"a class is called {name!a:.40}")
    for key, least in LEAST.items():
        given = manifest[key]
        numbers = [one for one in given if type(one) in (int, float) and least <= one <= 1]
        if not isinstance(given, list) or len(given) != 3 or len(numbers) < 3:
            flat = ": a channel of one value throughout cannot be normalised"
            raise ValueError(
                f"{key} is {given!r:.60}, and must be three from {least} to 1"
                f"{flat if key == 'std' else ''}"
            )
    return tuple(tuple(manifest[key]) for key in ("classes", "mean", "std"))

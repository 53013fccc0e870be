"""Libraries in C that write to the error stream themselves, past Python, are told not to."""

import contextlib
import ctypes
import functools
from pathlib import Path

MAPPED = Path("/proc/self/maps")  # on Linux: the files of which this process has loaded code


@functools.cache
def libtiff() -> bool:
    """Keep libtiff from printing a line for each fault that it finds: Pillow raises what matters.

    Return whether it was found: on other systems than Linux, and where Pillow holds it within
    itself, its lines stay.
    """
    found = False
    with contextlib.suppress(OSError):
        lines = MAPPED.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        for path in {line.split(maxsplit=5)[-1] for line in lines if "libtiff" in line}:
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(path)
                for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
                    handler = getattr(library, name)
                    handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
                    handler(None)
                found = True
    return found

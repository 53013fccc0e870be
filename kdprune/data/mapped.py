"""Arrays that stay in their files: the system brings in what is read, and takes it back.

Pages that were read once lie in the system's cache, which gives way when memory is needed; here
they are let go of as well, so that a process that reads all of a data set seems no larger than
what it holds.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

AT_ONCE = 16 << 20  # bytes of a part
HELD = 256 << 20  # bytes read of a file before its pages are let go of


def opened(path: Path) -> np.ndarray:
    """Return a .npy file's array, read only, as it is asked for. Raises ValueError, OSError."""
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def take(array: np.ndarray, rows: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return rows of an array [N, …] in memory; other threads run meanwhile."""
    out = np.empty((len(rows), *array.shape[1:]), array.dtype) if out is None else out
    # any mode but "raise" writes into `out` directly; rows are in range by their makers
    return np.take(array, rows, axis=0, out=out, mode="clip")


def parts(array: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield rows of an array [N, …] in their order, AT_ONCE bytes or a row at a time."""
    count = max(1, AT_ONCE // max(1, array[:1].nbytes))
    for number, begin in enumerate(range(0, len(rows), count), 1):
        yield take(array, rows[begin : begin + count])
        if number % (HELD // AT_ONCE) == 0:
            let_go(array)


def let_go(array: np.ndarray) -> None:
    """Give the pages of a mapped array back to the system's cache; another stays as it is."""
    held: object = array
    while isinstance(held, np.ndarray):  # views of views
        held = held.base
    if isinstance(held, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        held.madvise(mmap.MADV_DONTNEED)

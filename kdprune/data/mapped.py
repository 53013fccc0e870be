"""Arrays that stay in their files: the system brings in what is read, and takes it back.

Pages that were read once lie in the system's cache, which gives way when memory is needed. Here
they are let go of at once, for whoever watches over memory counts them as the process's own: one
that reads all of a data set is no larger than what it holds. To map them again costs some ten
microseconds an image.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError

import numpy as np

AT_ONCE = 16 << 20  # bytes of a part
HELD = 256 << 20  # bytes of a file that are mapped at a time, at most
FOLIO = 2 << 20  # bytes that the system may map where one of them is read


def opened(path: Path) -> np.ndarray:
    """Return a .npy file's array, read only, as it is asked for. Raises ValueError, OSError."""
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (TokenError, SyntaxError, RecursionError, OverflowError) as error:  # of its header
        raise ValueError(
            f"{path.name} does not say what it holds ({type(error).__name__})"
        ) from None
    return array


def take(array: np.ndarray, rows: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return rows of an array [N, …] in memory; other threads run meanwhile."""
    out = np.empty((len(rows), *array.shape[1:]), array.dtype) if out is None else out
    count = rows_at_once(array)
    for begin in range(0, len(rows), count):
        some = slice(begin, begin + count)
        if array.flags.c_contiguous:
            # any mode but "raise" writes into `out` directly; rows are in range by their makers
            np.take(array, rows[some], axis=0, out=out[some], mode="clip")
        else:  # a view such as of channels put last: np.take copies all of it, at every call
            out[some] = array[rows[some]]
        let_go(array)
    return out


def rows_at_once(array: np.ndarray) -> int:
    """Return how many rows of an array [N, …] may be read before its pages are let go of."""
    return max(1, HELD // max(FOLIO, array[:1].nbytes))


def parts(array: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield rows of an array [N, …] in their order, AT_ONCE bytes or a row at a time."""
    count = max(1, AT_ONCE // max(1, array[:1].nbytes))
    for begin in range(0, len(rows), count):
        yield take(array, rows[begin : begin + count])


def let_go(array: np.ndarray) -> None:
    """Give the pages of a mapped array back to the system's cache; another stays as it is."""
    held: object = array
    while isinstance(held, np.ndarray):  # views of views
        held = held.base
    if isinstance(held, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        held.madvise(mmap.MADV_DONTNEED)

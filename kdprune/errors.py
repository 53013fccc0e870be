"""Faults that users cause and can mend: the exception, the hint, and the one way out."""

import contextlib
import difflib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping

from kdprune.terminal import printable

# What a disk answers, and what to do about it
REMEDIES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EROFS: "make it writable",
    errno.EACCES: "see to its permissions",
    errno.EPERM: "see to its permissions",
    errno.EIO: "check the disk",
}
# What torch's CPU allocator, the system and C++ say where memory ends: torch has no class for it
NO_MEMORY = ("DefaultCPUAllocator", "can't allocate memory", "cannot allocate memory", "bad_alloc")
NO_TEMPORARY = "No usable temporary directory"  # tempfile's words, in an error without a file
SMALLER = (
    "lower teach.batch_size, distill.training.batch_size or prune.finetune.batch_size, or end what "
    "else runs there, and run the command again"
)


class KdpruneError(Exception):
    """Input that cannot be used: one line that says what, where, what is allowed, what to do.

    `status_of` prints it on stderr without a traceback and returns 2.
    """


def status_of(work: Callable[[], int | object]) -> int:
    """Do `work`; return the exit status of the process: what it returns, or 0 where that is none.

    2: a fault that the user can mend, told in one line on stderr. 130: interrupted. A fault of the
    program itself is raised.
    """
    try:
        done = work()
    except KdpruneError as error:
        return _fault(str(error))
    except Exception as error:
        if not out_of_memory(error):
            if isinstance(error, OSError) and (error.errno in REMEDIES or error.filename):
                return _fault(_refused(error))
            if isinstance(error, OSError) and NO_TEMPORARY in str(error):
                return _fault(f"{error.strerror}; make room there, or set TMPDIR to another folder")
            raise
        held = "device" if type(error).__name__ == "OutOfMemoryError" else "machine"
        return _fault(f"the {held} has no memory left; {SMALLER}")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return done if isinstance(done, int) else 0


def out_of_memory(error: BaseException) -> bool:
    """Say whether an error is for want of memory, of the device or of the machine."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    if not isinstance(error, RuntimeError):
        return False
    said = str(error).lower()
    # torch's own class is asked for by name: torch may not be imported
    named = type(error).__name__ == "OutOfMemoryError"
    return named or any(words.lower() in said for words in NO_MEMORY)


def nearest(name: str, allowed: Iterable[str] | Mapping[str, object]) -> str:
    """Return a hint for a misspelt `name`: the nearest of `allowed`, or all of them when few."""
    allowed = list(allowed)
    close = difflib.get_close_matches(str(name), allowed, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    shown = ", ".join(allowed[:20]) + (", …" if len(allowed) > 20 else "")
    return f"allowed: {shown}"


def tell(line: str) -> None:
    """Print a fault on stderr as one line, whatever characters the names in it hold."""
    with contextlib.suppress(OSError):  # nobody reads it: the exit status tells the rest
        print(f"kdprune: {printable(line)}", file=sys.stderr)


def _fault(line: str) -> int:
    tell(line)
    return 2


def _refused(error: OSError) -> str:
    """Say which file the system refused, why, and what to do."""
    path, number = error.filename or "a file", error.errno or 0
    if number in (errno.ENOTDIR, errno.EEXIST) and (file := _file_above(path)):
        return f"{file}: is a file where a folder must be; move it away and run the command again"
    if number not in REMEDIES:
        return f"{path}: {error.strerror or error}"
    unreadable = os.path.isfile(path) and not os.access(path, os.R_OK)
    verb = "read" if unreadable or number == errno.EIO else "write"
    remedy = f"{REMEDIES[number]} and run the command again"
    return f"cannot {verb} {path}: {os.strerror(number)}; {remedy}"


def _file_above(path: object) -> str | None:
    """Return what stands where `path` needs a folder: itself or a part of it that is none."""
    parts = os.fspath(path).split(os.sep) if isinstance(path, str | os.PathLike) else []
    above = (os.sep.join(parts[:count]) for count in range(1, len(parts) + 1))
    return next((part for part in above if os.path.lexists(part) and not os.path.isdir(part)), None)

"""Small files, written whole or not at all."""

import glob
import hashlib
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kdprune.errors import KdpruneError


def expanded(path: str | Path) -> Path:
    """Return a path with ~ as a home. Raises KdpruneError for a user who has none here."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = str(path).split(os.sep)[0]
        raise KdpruneError(f"{path}: {user} is no user's home here; write the whole path") from None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it over `path` when the block succeeds.

    The data are flushed to disk before the move, so that neither a killed process nor a power
    cut leaves a half-written file under the final name. On an exception the temporary file goes,
    and what killed processes left of this name goes first. An OSError names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear(path)
    temporary = None
    try:
        prefix = f".{path.name}.{_machine()}-{os.getpid()}-"
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        # mkstemp makes private files; outputs follow the user's umask like any other file
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        if error.filename is None or str(error.filename).endswith(".part"):
            error.filename, error.filename2 = str(path), None  # what the user knows it by
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Remove what dead processes left beside `path`, lest a folder's hash depend on a kill."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        owner = re.search(r"\.(\w+)-(\d+)-[^.]*\.part$", leftover.name)
        ours = owner and owner[1] == _machine()  # of another, who shares the disk, nothing is known
        if owner and ours and os.name == "posix" and not _alive(int(owner[2])):
            leftover.unlink(missing_ok=True)


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def keep(path: str | Path, content: bytes | memoryview) -> None:
    """Write unfinished work with its SHA-256; what `path` held becomes `path`.previous.

    The one before is kept for the day that the last is damaged, and for the moments between a
    stage's end, when it removes `path`, and DVC's record of it.
    """
    path = Path(path)
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            file.write(hashlib.sha256(content).digest())
            file.write(content)
        with suppress(FileNotFoundError):  # the first; or another workspace has just moved it
            path.replace(before(path))


def kept(path: str | Path) -> bytes | None:
    """Return what `keep` wrote, the last that is intact, or None; tell of damage on stderr."""
    path = Path(path)
    for candidate in (path, before(path)):
        if not candidate.exists():
            continue
        stored = candidate.read_bytes()
        if hashlib.sha256(memoryview(stored)[32:]).digest() == stored[:32]:
            return stored[32:]
        told = "is damaged (its checksum differs); going on from earlier work, or anew"
        print(f"kdprune: {candidate}: {told}", file=sys.stderr, flush=True)
    return None


def before(path: Path) -> Path:
    """Return where `keep` leaves the work before the last."""
    return path.with_name(f"{path.name}.previous")

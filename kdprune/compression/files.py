"""A whole network as one compressed file: written, and read from anywhere without trust.

MAGIC, the length of the header in 4 bytes, the header (JSON, deflated), and each tensor's bytes in
the header's order, numbers with the lowest byte first. Nothing is unpickled.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kdprune.compression.tensors import GAP, Coded, Entry, restored
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.terminal import printable
from kdprune.untrusted import parsed

MAGIC = b"kdprune\x01"
HEADER = 32 << 20  # bytes of the header, deflated or not
SMALL, SLACK = 1 << 24, 1024  # elements that are always allowed; those allowed per byte of the file


class Header(BaseModel):
    """What a file says of itself: the network's metadata, its tensors, and a sum of their bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    metadata: dict[str, Any]
    crc32: Annotated[int, Field(ge=0, lt=1 << 32)]
    tensors: Annotated[dict[str, Entry], Field(max_length=20_000)]


def write(path: str | Path, tensors: Mapping[str, Coded], metadata: Mapping[str, Any]) -> None:
    """Write `tensors` by name, and JSON `metadata`, whole or not at all. The same give the same."""
    described = {
        name: coded.entry.model_dump(exclude_defaults=True) for name, coded in tensors.items()
    }
    # sort_keys sorts the tensors too, and that is the order of their bytes
    data = b"".join(tensors[name].data for name in sorted(tensors))
    content = {"metadata": dict(metadata), "tensors": described, "crc32": zlib.crc32(data)}
    header = zlib.compress(json.dumps(content, allow_nan=False, sort_keys=True).encode(), 9)
    with replacing(path) as temporary:
        temporary.write_bytes(b"".join([MAGIC, len(header).to_bytes(4, "little"), header, data]))


def outline(path: str | Path) -> tuple[dict[str, Entry], dict[str, Any]]:
    """Return what a file says of its tensors, and its metadata; no tensor is made.

    Raises KdpruneError as `read` does.
    """
    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            header = _header(file, size)
            _check_sizes(header, size - file.tell())
    except (OSError, ValueError, zlib.error, RecursionError, OverflowError) as error:
        raise KdpruneError(f"{path}: is no compressed network ({_told(error)})") from None
    return header.tensors, header.metadata


def read(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the tensors by name, float32 or int64, and the metadata, which are not checked here.

    Raises KdpruneError with one line for what is no such file, is damaged, or is made to exhaust
    this machine: what the file says of sizes is checked before anything is allocated.
    """
    try:
        size = Path(path).stat().st_size
        # what overflows is no number, and told below
        with Path(path).open("rb") as file, np.errstate(over="ignore"):
            header = _header(file, size)
            _check_sizes(header, size - file.tell())
            tensors, total = {}, 0
            for name, entry in header.tensors.items():
                data = file.read(entry.bytes)
                total = zlib.crc32(data, total)
                tensors[name] = restored(entry, data)
        if total != header.crc32:
            raise ValueError("its checksum differs")
    except (OSError, ValueError, zlib.error, RecursionError, OverflowError) as error:
        raise KdpruneError(f"{path}: is no compressed network ({_told(error)})") from None
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise KdpruneError(f"{path}: holds a NaN or an infinity in {printable(name)[:60]}")
    return tensors, header.metadata


def _header(file: Any, size: int) -> Header:
    start = file.read(len(MAGIC) + 4)
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + 4:
        raise ValueError("it does not begin as one does")
    length = int.from_bytes(start[len(MAGIC) :], "little")
    if length > min(HEADER, size):
        raise ValueError("its header is longer than it may be")
    inflate = zlib.decompressobj()
    text = inflate.decompress(file.read(length), HEADER)
    if not inflate.eof or inflate.unused_data:
        raise ValueError("its header is damaged")
    return Header.model_validate(parsed(text.decode()))


def _check_sizes(header: Header, left: int) -> None:
    entries = header.tensors.values()
    if sum(entry.bytes for entry in entries) != left:
        raise ValueError("its tensors do not fill it")
    if sum(entry.elements for entry in entries) > max(SMALL, SLACK * left):
        raise ValueError("it says to hold far more than it can")
    for entry in entries:
        most = entry.elements if entry.gaps is None else 8 * sum(entry.gaps)
        wrong = entry.form == "shared" and entry.entries > 8 * entry.codes
        wrong |= entry.gaps is not None and entry.gaps[0] > 1 << GAP  # steps have no more lengths
        needs_all = entry.gaps is None and entry.form in ("shared", "sparse")
        if wrong or entry.entries > most or (needs_all and entry.entries != entry.elements):
            raise ValueError("the sizes of a tensor contradict each other")


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(printable(part)[:60] for part in first["loc"])
        return f"{place}: {first['msg'][0].lower()}{first['msg'][1:]}"
    return printable(" ".join(str(error).split()))[:200] or type(error).__name__

"""Small compressed networks, whole and damaged on purpose, for tests and for benchmarks/fuzz."""

import copy
import json
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kdprune.compression import files, tensors

COUNTERS = "norm.num_batches_tracked"
START = len(files.MAGIC) + 4


def network() -> dict[str, tensors.Coded]:
    """A tensor of every form."""
    generator = np.random.default_rng(0)
    weight = generator.normal(size=(6, 5, 3, 3)).astype(np.float32)
    thin = generator.normal(size=(6, 20, 3, 3)).astype(np.float32)
    thin[generator.random(thin.shape) < 0.95] = 0
    return {
        "stem.weight": tensors.int8(weight),
        "body.weight": tensors.shared(thin, 4),
        "head.weight": tensors.shared(weight, 3),
        "tail.weight": tensors.sparse(thin),
        "norm.bias": tensors.plain(generator.normal(size=6).astype(np.float32)),
        COUNTERS: tensors.plain(np.array(7)),
    }


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return a file's header and what follows it."""
    end = START + int.from_bytes(content[START - 4 : START], "little")
    return json.loads(zlib.decompress(content[START:end])), content[end:]


def rebuilt(header: Any = None, payload: bytes = b"") -> bytes:
    """Return a file of a header and what follows it; that of `network` where none is given."""
    if header is None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.kdz"
            files.write(path, network(), {})
            return path.read_bytes()
    packed = zlib.compress(json.dumps(header).encode())
    return files.MAGIC + len(packed).to_bytes(4, "little") + packed + payload


def attacks() -> Iterator[tuple[str, bytes, str]]:
    """Yield what is wrong, the file, and what is said of it."""
    whole = rebuilt()
    good, payload = split(whole)
    yield "empty", b"", "does not begin"
    yield "another", b"PK\x03\x04" + bytes(50), "does not begin"
    yield "cut in its header", whole[: START + 20], "header is"
    yield "cut in its tensors", whole[:-1], "do not fill it"
    yield "longer", whole + b"\0", "do not fill it"
    yield "no JSON", rebuilt([1, 2]), "no compressed network"
    yield "deep", _raw(b"[" * 100_000), "no compressed network"
    yield "header of 4 GiB", files.MAGIC + b"\xff" * 4 + bytes(99), "longer than it may be"
    for name, key, value, told in (
        ("an unknown form", "form", "pickle", "form"),
        ("a negative size", "shape", [-6, 5, 3, 3], "greater than or equal to 0"),
        ("a size that is no number", "shape", ["6"], "valid integer"),
        ("another shape", "shape", [6], "beyond the tensor's end"),
        ("too many elements", "shape", [1 << 30], "far more than it can"),
        ("endless elements", "shape", [1 << 40] * 8, "far more than it can"),
        ("more entries", "entries", 1 << 39, "contradict"),
        ("a few more entries", "entries", 40, "do not end|too early|contradict"),
        ("no entries", "entries", 0, "do not end"),
        ("no gaps", "gaps", None, "do not fill it"),
        ("a key of its own", "path", "/etc/passwd", "path"),
    ):
        lie = copy.deepcopy(good)
        lie["tensors"]["body.weight"][key] = value
        yield name, rebuilt(lie, payload), told
    yield "a list of lists", _raw(b"[" + b"[]," * 200_000 + b"[]]"), "lists and mappings"
    for name, entry, data, told in (
        (
            "no code",
            {"form": "shared", "values": 1, "entries": 8, "codes": 1},
            b"\0" * 6,
            "no code",
        ),
        ("no values", {"form": "shared", "entries": 8, "codes": 1}, b"\0", "no code lengths"),
        (
            "no steps",
            {"form": "sparse", "entries": 1, "gaps": [1, 1]},
            b"\0" * 6,
            "no code lengths",
        ),
        ("endless steps", {"form": "sparse", "gaps": [2000, 0]}, b"\0" * 2000, "contradict"),
    ):
        lie = {"metadata": {}, "crc32": 0, "tensors": {"a": {"shape": [8], **entry}}}
        yield name, rebuilt(lie, data), told
    yield "a bit", rebuilt(good, payload[:-1] + bytes([payload[-1] ^ 128])), "checksum|do not end"
    nan = np.float32("nan").tobytes()
    at = payload.index(network()["norm.bias"].data)
    broken = payload[:at] + nan + payload[at + 4 :]
    yield "a NaN", rebuilt({**good, "crc32": zlib.crc32(broken)}, broken), "NaN"


def _raw(text: bytes) -> bytes:
    packed = zlib.compress(text)
    return files.MAGIC + len(packed).to_bytes(4, "little") + packed

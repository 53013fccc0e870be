"""What reading a file of weights would cost, found before any reader of others is let at it.

torch.load with `weights_only` and safetensors run nothing that a file says. But they believe its
sizes: a megabyte of zip unfolds to gigabytes, and a key of tuples within tuples takes for ever to
be hashed.
"""

import json
import pickletools
import stat
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from kdprune.untrusted import parsed

HEADER = 32 << 20  # bytes of a safetensors file that name its tensors
TENSORS = 20_000
LONGEST = 1000  # characters of a tensor's name: what wrappers put before one is taken off in turn
PICKLE = 32 << 20  # bytes of a zip's part that names its tensors
STEPS = 1 << 19  # instructions of a pickle; a ResNet-50 and its optimiser take 11,000
NESTED, VALUES = 100, 1_000_000  # of tuples: a hash walks through every value in them
SMALL, RATIO = 256 << 20, 4  # bytes that a zip may always unfold to; how much of it else
ZIP = b"PK\x03\x04"  # by which torch tells a zip; zipfile looks at a file's end as well
END = struct.Struct("<4s4H2IH")  # of a zip: sizes and place of the list of its parts
LOCATOR, END64 = struct.Struct("<4sIQI"), struct.Struct("<4sQ2H2I4Q")  # the same in 64 bits
GREEDY = "bytearray"  # which weights_only calls with any number, as many bytes as it says
LEGACY = 5  # pickles before the values in torch's files of before 1.6: the last names the storages

Weight = tuple[int, int]  # values in a tuple, and how deep they lie; (1, 0) for what is none
ONE: Weight = (1, 0)
MARK = object()


def check(path: Path) -> None:
    """Raise ValueError for a file of weights that costs more than what it holds, or is a pipe.

    OSError where it cannot be read. What is damaged in other ways, its reader tells.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for without end
        raise ValueError("it is no regular file")
    if path.suffix == ".safetensors":
        check_header(path)
        return
    with path.open("rb") as file:
        begun = file.read(len(ZIP))
        if begun == ZIP:
            if not zipfile.is_zipfile(path):  # its end is not there
                raise ValueError("it is cut short")
            _check_zip(path)
        elif begun[:1] != b"\x80":  # of pickles since protocol 2
            raise ValueError("it is neither a zip nor a pickle of torch's")
        else:
            file.seek(0)
            for _ in range(LEGACY):
                if file.peek(1):  # one pickle alone is told of by the reader
                    _check_pickle(file)


def check_header(path: Path) -> None:
    """Raise ValueError for a safetensors file whose header is too long, or names too many tensors.

    Its length is in the first 8 bytes. The names are those that JSON gives, whatever escapes they
    are written with. What is no JSON, its reader tells.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > HEADER:
            if path.stat().st_size > HEADER:
                raise ValueError(f"a header of more than {HEADER >> 20} MiB")
            return
        text = file.read(length)
    try:
        named = parsed(text.decode())
    except (UnicodeDecodeError, json.JSONDecodeError):
        return
    if isinstance(named, dict):
        if len(named) - ("__metadata__" in named) > TENSORS:
            raise ValueError(f"more than {TENSORS} tensors")
        check_names(named)


def check_names(names: Iterable[Any]) -> None:
    """Raise ValueError for a tensor's name that is too long to be taken apart."""
    if (longest := max((len(str(name)) for name in names), default=0)) > LONGEST:
        raise ValueError(f"a tensor's name of {longest:,} characters; at most {LONGEST:,}")


def _check_zip(path: Path) -> None:
    if not _is_one(path):
        raise ValueError("it lists its parts twice, or elsewhere than it says")
    with zipfile.ZipFile(path) as held:
        parts = held.infolist()
        if sum(one.file_size for one in parts) > max(SMALL, RATIO * path.stat().st_size):
            raise ValueError("it unfolds to many times its size")
        for one in parts:
            if one.filename.casefold().endswith(".pkl"):  # torch looks it up in any case
                if one.file_size > PICKLE:
                    raise ValueError(f"{one.file_size:,} bytes name its tensors")
                with held.open(one) as file:
                    _check_pickle(file)


def _is_one(path: Path) -> bool:
    """Say whether every reader finds the same list of parts, at the end and named from there.

    Some look where the end says and some just before it, so two lists may lie in one file.
    """
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - END.size - LOCATOR.size - END64.size))
        tail = file.read()
    before, end = tail[: -END.size], END.unpack(tail[-END.size :])
    told, stop = end[5:7], length - END.size  # bytes of the list, and where it begins
    if before[-LOCATOR.size :][:4] == b"PK\6\7":
        stop -= LOCATOR.size + END64.size
        if len(before) < length - END.size - stop:
            return False
        wide = END64.unpack(before[: END64.size])
        place = LOCATOR.unpack(before[-LOCATOR.size :])[2]
        if wide[0] != b"PK\6\6" or place != stop:
            return False
        if any(short not in (full, 0xFFFFFFFF) for short, full in zip(told, wide[8:], strict=True)):
            return False
        told = wide[8:]
    return end[0] == b"PK\5\6" and end[-1] == 0 and sum(told) == stop


def _check_pickle(file: IO[bytes]) -> None:
    """Follow one pickle's instructions, making nothing but a count of what its tuples hold.

    Raises ValueError, IndexError or TypeError for what is none.
    """
    stack: list[Any] = []
    memo: dict[Any, Weight] = {}
    for step, (code, argument, _) in enumerate(pickletools.genops(file)):
        if step == STEPS:
            raise ValueError(f"more than {STEPS:,} instructions name its tensors")
        if code.name == "GLOBAL" and str(argument).split()[-1:] == [GREEDY]:
            raise ValueError(f"a {GREEDY} in it may take any memory; save its state dict alone")
        if "PUT" in code.name or code.name == "MEMOIZE":
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif "GET" in code.name:
            stack.append(memo.get(argument, ONE))
        elif code.name == "MARK":
            stack.append(MARK)
        elif code.name == "DUP":
            stack.append(stack[-1])
        else:
            parts = _taken(stack, code)
            made = _tuple(parts) if code.name.startswith("TUPLE") else ONE
            stack += [made] * len(code.stack_after)


def _taken(stack: list[Any], code: pickletools.OpcodeInfo) -> list[Weight]:
    """Take from the stack what an instruction does, to the last mark where it takes many."""
    alone, parts = len(code.stack_before), []
    if pickletools.markobject in code.stack_before:
        alone = code.stack_before.index(pickletools.markobject)
        while (part := stack.pop()) is not MARK:
            parts.append(part)
    return parts + [stack.pop() for _ in range(alone)]


def _tuple(parts: list[Weight]) -> Weight:
    values = 1 + sum(count for count, _ in parts)
    depth = 1 + max((depth for _, depth in parts), default=0)
    if values > VALUES or depth > NESTED:
        raise ValueError("tuples within tuples of it would be walked through for ever")
    return values, depth

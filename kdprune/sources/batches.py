"""The python version's batches: pickles, read by a machine that knows plain values alone.

Python's own unpickler trusts the sizes that it is told (a memo of 2^27 entries takes a gigabyte),
and may be made to nest tuples whose hash takes for ever. Here each instruction of the format costs
at most what it holds, only the few that the official files (Python 2's cPickle, protocol 2; the
same from later versions) consist of are known, and nothing is ever called.
Source: the instructions as documented in Python's pickletools.
"""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

MOST = 2**20  # instructions; CIFAR-100's training images take about 300,000
MOST_NOTED = 2**17  # entries of the memo; the names of CIFAR-100's 50,000 files are all noted
LENGTHS = {b"U": "B", b"T": "<i", b"C": "B", b"B": "<I", b"\x8c": "B", b"X": "<I", b"\x8e": "<Q"}
INTEGERS = {b"K": "B", b"M": "<H", b"J": "<i"}
CONSTANTS: dict[bytes, Any] = {b"N": None, b"\x88": True, b"\x89": False}
EMPTY: dict[bytes, Callable[[], Any]] = {b"}": dict, b"]": list, b")": tuple}
TUPLES = {b"\x85": 1, b"\x86": 2, b"\x87": 3}
PUT, GET = {b"q": "B", b"r": "<I"}, {b"h": "B", b"j": "<I"}
MAKERS = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
KNOWN = (*MAKERS, "numpy ndarray", "numpy dtype")
MARK = object()


class Name(str):
    """What an instruction names, and never calls: numpy's array, or its element type."""

    __slots__ = ()


class Made:
    """Stands in for what `name` would make of `arguments`: told apart by its state afterwards."""

    def __init__(self, name: str, arguments: tuple[Any, ...]):
        self.name, self.arguments = name, arguments
        self.values: np.ndarray | None = None

    def state(self, given: Any) -> None:
        """Take the state of an array of bytes [N, M]. Raises ValueError for any other."""
        if self.name not in MAKERS:
            return  # byte order and alignment of an element type say nothing about bytes
        _, shape, kind, fortran, content = given
        if not isinstance(kind, Made) or kind.name != "numpy dtype":
            raise ValueError("its array has no element type")
        if kind.arguments[:1] not in ((b"u1",), ("u1",)):
            raise ValueError(f"its array is of type {kind.arguments[:1]}, not of bytes")
        flat = isinstance(shape, tuple) and all(type(size) is int for size in shape)
        if fortran or not isinstance(content, bytes) or not flat or len(shape) != 2:
            raise ValueError("its array is no plain array of bytes")
        self.values = np.frombuffer(content, np.uint8).reshape(shape)


def load(content: bytes) -> dict[bytes, Any]:
    """Return the dictionary that a batch holds, `Made` standing in for its array.

    Raises ValueError, IndexError, KeyError, TypeError or struct.error for anything else.
    """
    place = 0
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def take(count: int) -> bytes:
        nonlocal place
        if count < 0 or place + count > len(content):
            raise ValueError("it is cut short")
        place += count
        return content[place - count : place]

    def number(form: str) -> int:
        unpacked: int = struct.unpack(form, take(struct.calcsize(form)))[0]
        return unpacked

    def line() -> str:
        return take(content.index(b"\n", place, place + 100) + 1 - place)[:-1].decode("ascii")

    def marked() -> list[Any]:
        """Take what was pushed since the last mark."""
        for index in reversed(range(len(stack))):
            if stack[index] is MARK:
                items = stack[index + 1 :]
                del stack[index:]
                return items
        raise ValueError("an instruction lacks its mark")

    for _ in range(MOST):
        code = take(1)
        if code == b".":
            whole: dict[bytes, Any] = _of(dict, stack.pop())
            return whole
        if code in LENGTHS:
            stack.append(take(number(LENGTHS[code])))
        elif code in INTEGERS:
            stack.append(number(INTEGERS[code]))
        elif code in CONSTANTS:
            stack.append(CONSTANTS[code])
        elif code in EMPTY:
            stack.append(EMPTY[code]())
        elif code in TUPLES:
            stack[-TUPLES[code] :] = [tuple(stack[-TUPLES[code] :])]
        elif code in PUT or code == b"\x94":
            _note(memo, number(PUT[code]) if code in PUT else len(memo), stack[-1])
        elif code in GET:
            stack.append(memo[number(GET[code])])
        elif code == b"(":
            stack.append(MARK)
        elif code == b"t":
            stack.append(tuple(marked()))
        elif code in (b"a", b"e"):
            items = [stack.pop()] if code == b"a" else marked()
            _of(list, stack[-1]).extend(items)
        elif code in (b"s", b"u"):
            items = [stack.pop(-2), stack.pop()] if code == b"s" else marked()
            for key, value in zip(items[::2], items[1::2], strict=True):
                _of(dict, stack[-1])[_of(bytes, key)] = value
        elif code == b"c":
            stack.append(_known(line(), line()))
        elif code == b"\x93":
            name, module = stack.pop(), stack.pop()
            stack.append(_known(_of(bytes, module).decode(), _of(bytes, name).decode()))
        elif code == b"R":
            arguments = _of(tuple, stack.pop())
            stack.append(Made(_of(Name, stack.pop()), arguments))
        elif code == b"b":
            given = stack.pop()
            _of(Made, stack[-1]).state(given)
        elif code == b"\x80":
            number("B")
        elif code == b"\x95":
            number("<Q")
        else:
            raise ValueError(f"it holds the instruction {code!r}, which no CIFAR file does")
    raise ValueError(f"it holds more than {MOST:,} instructions")


def flat(labels: Any, count: int) -> np.ndarray:
    """Return `labels` as int64 [count]. Raises ValueError unless a flat list of whole numbers.

    Checked before anything is made of it: a list of lists could become an array of any size.
    """
    if type(labels) is not list or len(labels) != count:
        kind = f"a list of {len(labels)}" if isinstance(labels, list) else type(labels).__name__
        raise ValueError(f"its labels are {kind}, not a list of {count} whole numbers")
    if odd := [type(label).__name__ for label in labels if type(label) is not int]:
        raise ValueError(f"its labels hold a {odd[0]}; they must be whole numbers")
    if odd := [label for label in labels if not 0 <= label < 256]:
        raise ValueError(f"it has a label {str(odd[0])[:20]}, which fits in no byte")
    return np.array(labels, np.int64)


def _of(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind) or value is MARK:
        raise ValueError(f"it has a {type(value).__name__} where a {kind.__name__} belongs")
    return value


def _note(memo: dict[int, Any], index: int, value: Any) -> None:
    if index >= MOST_NOTED:
        raise ValueError(f"it notes a value as number {index:,}; no CIFAR file has as many")
    memo[index] = value


def _known(module: str, name: str) -> Name:
    if f"{module} {name}" not in KNOWN:
        raise ValueError(f"it asks for {module}.{name}, which no CIFAR file does")
    return Name(f"{module} {name}")

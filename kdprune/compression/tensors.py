"""One tensor as bytes, and back: as it is, in whole steps of 8 bits, by shared values, or sparse.

Each form is an `Entry`, which says how the bytes are read, and the bytes. docs/how-to/ship.md has
the format, and a reader of it in numpy.
"""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kdprune.compression import gaps, huffman
from kdprune.compression.sharing import shared_values

GAP = 8  # bits of a relative index before its Huffman code, as for the paper's convolutions
STEPS = 127  # of an int8 scale, to either side of zero
PLAIN = {"float32": "<f4", "int64": "<i8"}

Size = Annotated[int, Field(ge=0, le=1 << 40)]


class Entry(BaseModel):
    """What a file says of a tensor: `form` and `shape`, and what parts its bytes have.

    shared: `values` float32, a byte per value that is its code's length, `codes` bytes of codes.
    sparse: a float32 per stored weight. Both, where `gaps` is there, hold some of the elements
    alone, `entries` with the fillers: gaps[0] bytes are code lengths, gaps[1] bytes are codes.
    int8: a float32 scale per row, a byte per element. float32, int64: the elements.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    form: Literal["float32", "int64", "int8", "shared", "sparse"]
    shape: Annotated[list[Size], Field(max_length=8)]
    values: Annotated[int, Field(ge=0, le=256)] = 0
    entries: Size = 0
    codes: Size = 0
    gaps: Annotated[list[Size], Field(min_length=2, max_length=2)] | None = None

    @property
    def elements(self) -> int:
        """Of the tensor as it is restored."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def bytes(self) -> int:
        """Of the tensor in the file."""
        own = {
            "int8": 4 * (self.shape or [1])[0] + self.elements,
            "shared": 5 * self.values + self.codes + sum(self.gaps or ()),
            "sparse": 4 * self.entries + sum(self.gaps or ()),
        }
        return own.get(self.form, (8 if self.form == "int64" else 4) * self.elements)


class Coded(NamedTuple):
    """A tensor as it lies in a file."""

    entry: Entry
    data: bytes


def plain(tensor: np.ndarray) -> Coded:
    """Return a tensor as it is: float32, or int64 as batch norm's counters are."""
    form: Literal["float32", "int64"] = "float32" if tensor.dtype.kind == "f" else "int64"
    return Coded(Entry(form=form, shape=[*tensor.shape]), tensor.astype(PLAIN[form]).tobytes())


def int8(weight: np.ndarray) -> Coded:
    """Return a weight in whole steps of its row's largest size over 127, as int8 runtimes take it.

    Rows are the first dimension: output channels.
    """
    rows = weight.reshape(len(weight), -1)
    scales = (np.abs(rows).max(1, initial=0) / STEPS).astype("<f4")
    steps = np.rint(rows / np.where(scales > 0, scales, 1)[:, None]).clip(-STEPS, STEPS)
    data = scales.tobytes() + steps.astype("i1").tobytes()
    return Coded(Entry(form="int8", shape=[*weight.shape]), data)


def shared(weight: np.ndarray, bits: int) -> Coded:
    """Return a weight by at most 2^bits values, Huffman-coded; the first is 0 where weights are.

    Zeros are never clustered: they stay zero. They are left out, and gaps say what is stored, or
    each has the code of 0, as takes fewer bytes. A layer so small that the table of values is most
    of it is kept as `sparse` does.
    """
    flat = weight.ravel()
    places = np.flatnonzero(flat)
    zeros = len(places) < len(flat)
    values, codes = shared_values(flat[places], (1 << bits) - zeros)
    if not zeros:
        return _smaller(_shared(weight.shape, values, codes, None), sparse(weight))
    values, codes = np.concatenate([[0.0], values]), codes + 1
    everywhere = np.zeros(len(flat), np.int64)
    everywhere[places] = codes
    steps, real = gaps.encode(places, GAP)
    at_places = np.zeros(len(steps), np.int64)
    at_places[real] = codes
    return _smaller(
        _shared(weight.shape, values, everywhere, None),
        _shared(weight.shape, values, at_places, steps),
        sparse(weight),
    )


def sparse(weight: np.ndarray) -> Coded:
    """Return a weight to the last bit: what is not zero, and where it is; or the whole."""
    flat = weight.astype("<f4").ravel()
    steps, real = gaps.encode(np.flatnonzero(flat), GAP)
    values = np.zeros(len(steps), "<f4")
    values[real] = flat[flat != 0]
    data, sizes = _stream(steps)
    entry = Entry(form="sparse", shape=[*weight.shape], entries=len(steps), gaps=sizes)
    return _smaller(plain(weight), Coded(entry, values.tobytes() + data))


def _smaller(*forms: Coded) -> Coded:
    return min(forms, key=lambda coded: len(coded.data))


def _shared(
    shape: tuple[int, ...], values: np.ndarray, codes: np.ndarray, steps: np.ndarray | None
) -> Coded:
    lengths = huffman.code_lengths(np.bincount(codes, minlength=len(values)))
    packed = huffman.encode(codes, lengths)
    data, sizes = (b"", None) if steps is None else _stream(steps)
    entry = Entry(
        form="shared",
        shape=[*shape],
        values=len(values),
        entries=len(codes),
        codes=len(packed),
        gaps=sizes,
    )
    return Coded(entry, values.astype("<f4").tobytes() + lengths.tobytes() + packed + data)


def _stream(symbols: np.ndarray) -> tuple[bytes, list[int]]:
    """Return the code lengths and the codes of `symbols`, and how many bytes either takes."""
    lengths = huffman.code_lengths(np.bincount(symbols))
    packed = huffman.encode(symbols, lengths)
    return lengths.tobytes() + packed, [len(lengths), len(packed)]


def fixed_bytes(entry: Entry, bits: int, gap_bits: int = GAP) -> int:
    """Return the bytes of a shared tensor without Huffman codes: Deep Compression's formula."""
    index = entry.entries * gap_bits if entry.gaps else 0
    return 4 * 2**bits + -(-entry.entries * bits // 8) + -(-index // 8)


def restored(entry: Entry, data: bytes) -> np.ndarray:
    """Return the tensor, float32 or int64, that `entry` and its bytes stand for.

    Raises ValueError where they do not fit each other; nothing larger than the tensor is made.
    """
    if entry.form in PLAIN:
        return np.frombuffer(data, PLAIN[entry.form]).reshape(entry.shape)
    if entry.form == "int8":
        if not entry.shape:
            raise ValueError("int8 needs rows")
        scales = np.frombuffer(data, "<f4", entry.shape[0])
        steps = np.frombuffer(data, "i1", offset=scales.nbytes).reshape(entry.shape)
        return steps.astype(np.float32) * scales.reshape(-1, *[1] * (steps.ndim - 1))
    count = entry.entries
    if entry.form == "shared":
        values = np.frombuffer(data, "<f4", entry.values)
        lengths = np.frombuffer(data, np.uint8, entry.values, offset=values.nbytes)
        start = values.nbytes + len(lengths)
        codes = huffman.decode(data[start : start + entry.codes], lengths, count)
        stored, start = values[codes], start + entry.codes
    else:
        stored, start = np.frombuffer(data, "<f4", count), 4 * count
    if entry.gaps is None:
        return stored.reshape(entry.shape)
    lengths = np.frombuffer(data, np.uint8, entry.gaps[0], offset=start)
    places = gaps.decode(huffman.decode(data[start + entry.gaps[0] :], lengths, count))
    if count and places[-1] >= entry.elements:
        raise ValueError("a weight lies beyond the tensor's end")
    flat = np.zeros(entry.elements, np.float32)
    flat[places] = stored
    return flat.reshape(entry.shape)

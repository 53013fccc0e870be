"""The official file layouts of CIFAR, read from bytes: binary version and python version."""

import io
import pickle
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from kdprune.data.canonical import Spec, Split
from kdprune.errors import KdpruneError

Read = Callable[[str], bytes]  # a file's name to its contents
FOLDERS = {
    ("cifar10", "binary"): "cifar-10-batches-bin",
    ("cifar10", "python"): "cifar-10-batches-py",
    ("cifar100", "binary"): "cifar-100-binary",
    ("cifar100", "python"): "cifar-100-python",
}
ARCHIVES = {
    ("cifar10", "binary"): "cifar-10-binary.tar.gz",
    ("cifar10", "python"): "cifar-10-python.tar.gz",
    ("cifar100", "binary"): "cifar-100-binary.tar.gz",
    ("cifar100", "python"): "cifar-100-python.tar.gz",
}


def files(dataset: str, layout: str) -> dict[str, list[str]]:
    """Return the names of a layout's files per split."""
    if dataset == "cifar100":
        suffix = ".bin" if layout == "binary" else ""
        return {"train": [f"train{suffix}"], "test": [f"test{suffix}"]}
    suffix = ".bin" if layout == "binary" else ""
    batches = [f"data_batch_{number}{suffix}" for number in range(1, 6)]
    return {"train": batches, "test": [f"test_batch{suffix}"]}


def read(spec: Spec, layout: str, read_file: Read) -> dict[str, Split]:
    """Read all splits of a layout through `read_file`. Raises KdpruneError for damaged files."""
    parse = _binary if layout == "binary" else _python
    splits = {}
    for split, names in files(spec.name, layout).items():
        parts = []
        for name in names:
            try:
                parts.append(parse(spec.name, read_file(name)))
            except KdpruneError:
                raise
            except Exception as error:  # damaged pickles raise anything, even IndexError
                raise KdpruneError(
                    f"{name}: is no {layout} file of {spec.name} ({error}); fetch it anew"
                ) from None
        images, labels = zip(*parts, strict=True)
        splits[split] = (np.concatenate(images), np.concatenate(labels))
    return splits


def _binary(dataset: str, content: bytes) -> Split:
    prefix = 2 if dataset == "cifar100" else 1  # CIFAR-100: coarse label, then fine label
    size = prefix + 3072
    if len(content) % size:
        raise ValueError(f"{len(content)} bytes are no multiple of {size}: truncated")
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return _planes(records[:, prefix:]), records[:, prefix - 1]


def _python(dataset: str, content: bytes) -> Split:
    batch = Restricted(io.BytesIO(content), encoding="bytes").load()
    labels = batch[b"fine_labels" if dataset == "cifar100" else b"labels"]
    return _planes(batch[b"data"].values), np.asarray(labels)


def _planes(data: np.ndarray) -> np.ndarray:
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        raise ValueError(f"pixels are {data.dtype} {data.shape}, not bytes [N, 3072]")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


class Array:
    """Stands in for an array of bytes while the official pickles are read."""

    def __init__(self, *_: object):
        self.values = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, content = state
        if not isinstance(dtype, Bytes) or fortran or not isinstance(content, bytes):
            raise pickle.UnpicklingError("its array is no plain array of bytes")
        self.values = np.frombuffer(content, np.uint8).reshape(shape)


class Bytes:
    """Stands in for the element type of that array, of which only `u1` is known."""

    def __init__(self, name: str | bytes, *_: object):
        if name not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"its array is of type {name!r}, not of bytes")

    def __setstate__(self, state: tuple) -> None:
        """Byte order and alignment say nothing about bytes."""


class Restricted(pickle.Unpickler):
    """Unpickles what the official files (NumPy under Python 2) hold, and not through NumPy.

    NumPy's own unpickling trusts the sizes and types that it is told, so that a crafted file could
    damage memory. Only plain values and one array of bytes can come out of this.
    """

    ALLOWED: ClassVar = {  # under old and new module names
        ("numpy.core.multiarray", "_reconstruct"): Array,
        ("numpy._core.multiarray", "_reconstruct"): Array,
        ("numpy", "ndarray"): "ndarray",  # an argument of _reconstruct, never called
        ("numpy", "dtype"): Bytes,
    }

    def find_class(self, module: str, name: str) -> object:
        """Return one of the few allowed constructors. Raises pickle.UnpicklingError."""
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CIFAR file does")
        return self.ALLOWED[module, name]

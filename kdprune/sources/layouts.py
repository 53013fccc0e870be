"""The official file layouts of CIFAR, read from bytes: binary version and python version."""

from collections.abc import Callable

import numpy as np

from kdprune.data.canonical import Spec, Split
from kdprune.errors import KdpruneError
from kdprune.sources import batches
from kdprune.sources.writing import counted

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
        parts: list[Split] = []
        for name in names:
            try:
                parts.append(parse(spec.name, read_file(name)))
            except KdpruneError:
                raise
            except Exception as error:  # damaged pickles raise anything, even IndexError
                raise KdpruneError(
                    f"{name}: is no {layout} file of {spec.name} ({error}); fetch it anew"
                ) from None
            counted(spec, split, sum(len(labels) for _, labels in parts), name, whole=False)
        counted(spec, split, sum(len(labels) for _, labels in parts), ", ".join(names))
        images, labels = zip(*parts, strict=True)
        splits[split] = (np.concatenate(images), np.concatenate(labels))
    return splits


def _binary(dataset: str, content: bytes) -> Split:
    prefix = 2 if dataset == "cifar100" else 1  # CIFAR-100: coarse label, then fine label
    size = prefix + 3072
    if not content:
        raise ValueError("it is empty")
    if len(content) % size:
        raise ValueError(f"{len(content)} bytes are no multiple of {size}: truncated")
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return _planes(records[:, prefix:]), records[:, prefix - 1]


def _python(dataset: str, content: bytes) -> Split:
    batch = batches.load(content)
    array = batch[b"data"]
    if not isinstance(array, batches.Made) or array.values is None:
        raise ValueError("its pixels are no array")
    labels = batch[b"fine_labels" if dataset == "cifar100" else b"labels"]
    return _planes(array.values), batches.flat(labels, len(array.values))


def _planes(data: np.ndarray) -> np.ndarray:
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        raise ValueError(f"pixels are {data.dtype} {data.shape}, not bytes [N, 3072]")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)

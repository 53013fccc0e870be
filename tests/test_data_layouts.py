"""The official files in both layouts, true, damaged and hostile."""

import builtins
import io
import os
import pickle

import numpy as np
import pytest
from conftest import some
from data_files import binary, files, python, small

from kdprune.errors import KdpruneError
from kdprune.sources import batches, layouts
from kdprune.sources.writing import canonical

FORMS = [
    (dataset, layout) for dataset in ("cifar10", "cifar100") for layout in ("binary", "python")
]


class Hostile:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize(("dataset", "layout"), FORMS)
def test_a_layout_is_read_as_it_was_written(dataset, layout):
    spec, splits = small(dataset)
    read = layouts.read(spec, layout, files(dataset, layout, splits).__getitem__)
    for split, (images, labels) in some(splits.items()):
        np.testing.assert_array_equal(read[split][0], images)
        np.testing.assert_array_equal(read[split][1], labels)


def test_the_fixture_is_a_pickle_that_numpy_itself_reads():
    spec, splits = small("cifar10")
    batch = pickle.loads(python(spec.name, *splits["test"]), encoding="bytes")
    assert batch[b"labels"] == splits["test"][1].tolist()
    planes = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(planes, splits["test"][0])


@pytest.mark.parametrize(("dataset", "layout"), FORMS)
@pytest.mark.parametrize("keep", [0, 1, 100, 3073 * 5 + 7, -1])
def test_a_truncated_file_is_one_line(dataset, layout, keep):
    spec, splits = small(dataset)
    contents = files(dataset, layout, splits)
    name = next(iter(contents))
    contents[name] = contents[name][:keep]
    with pytest.raises(KdpruneError, match=f"^{name}: is no {layout} file of {dataset}") as caught:
        layouts.read(spec, layout, contents.__getitem__)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "hostile",
    [
        Hostile(os.system, "echo broken > PWNED"),
        Hostile(builtins.eval, "open('PWNED', 'w')"),
        Hostile(open, "PWNED", "w"),
        np.arange(3),  # a whole array of another kind of element
        np.array([{}]),  # an array of objects
        {b"labels": [1], b"data": Hostile(np.fromfile, "PWNED")},
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_hostile_pickle_runs_nothing(hostile, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec, splits = small("cifar10")
    contents = files("cifar10", "python", splits) | {"test_batch": pickle.dumps(hostile, protocol)}
    with pytest.raises(KdpruneError, match="test_batch: is no python file"):
        layouts.read(spec, "python", contents.__getitem__)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"U\x02u1", b"U\x02O8"),
        (b"U\x02u1", b"U\x02f8"),
        (b"cnumpy\nndarray", b"cnumpy\nmatrix"),
        (b"\x89T", b"\x88T"),  # Fortran order
        (b"J\x00\x0c\x00\x00\x86", b"J\xff\xff\xff\x7f\x86"),  # shape beyond the bytes
        (b"J\x00\x0c\x00\x00\x86", b"J\x00\x06\x00\x00\x86"),
        (b"U\x06labels](", b"U\x06labels]0"),
        (b"U\x06labels", b"U\x06libels"),
    ],
)
def test_a_doctored_batch_is_refused(old, new):
    spec, splits = small("cifar10")
    contents = files("cifar10", "python", splits)
    assert old in contents["data_batch_3"]
    contents["data_batch_3"] = contents["data_batch_3"].replace(old, new, 1)
    with pytest.raises(KdpruneError, match="data_batch_3: is no python file of cifar10"):
        layouts.read(spec, "python", contents.__getitem__)


@pytest.mark.parametrize("label", [-1, 256, 2**31 - 1])
def test_a_label_beyond_a_byte_is_no_other_label(label):
    images, labels = small("cifar10")[1]["test"]
    with pytest.raises(KdpruneError, match=f"label {label}"):
        canonical(images, np.where(np.arange(100) == 3, label, labels))


def test_binary_records_of_cifar100_take_the_fine_label():
    _, splits = small("cifar100")
    content = binary("cifar100", *splits["test"])
    assert io.BytesIO(content).read(2)[1] == splits["test"][1][0]


def test_an_empty_file_is_one_line():
    spec, splits = small("cifar10")
    contents = files("cifar10", "binary", splits) | {"test_batch.bin": b""}
    with pytest.raises(KdpruneError, match=r"^test_batch\.bin: .*it is empty") as caught:
        layouts.read(spec, "binary", contents.__getitem__)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layout", ["binary", "python"])
def test_more_or_fewer_images_than_pinned_are_refused_before_they_are_joined(layout):
    spec, splits = small("cifar10")
    contents = files("cifar10", layout, splits)
    name = "data_batch_2" + (".bin" if layout == "binary" else "")
    write = binary if layout == "binary" else python
    images, labels = splits["train"]
    for count, said in ((90, "has 110 images so far, not 100"), (10, "has 90 images, not 100")):
        doctored = contents | {name: write("cifar10", images[:count], labels[:count])}
        with pytest.raises(KdpruneError, match=said):
            layouts.read(spec, layout, doctored.__getitem__)


@pytest.mark.parametrize(
    "labels", [[1, [2]], [1, True], [1, 2.0], (1, 2), [1], "12", {1: 2}, [1, 256]]
)
def test_labels_are_a_flat_list_of_whole_numbers(labels):
    assert batches.flat([1, 255], 2).tolist() == [1, 255]
    with pytest.raises(ValueError, match=r"its labels|it has a label"):
        batches.flat(labels, 2)

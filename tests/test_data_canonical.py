"""The canonical form: an order of its own, pins that see any change, files whole or refused."""

import numpy as np
import pytest
from conftest import some
from data_files import described, small
from hypothesis import given, settings
from hypothesis import strategies as st

from kdprune.data.canonical import CIFAR10_CLASSES, DATASETS, load
from kdprune.errors import KdpruneError
from kdprune.sources.writing import canonical, digest, statistics, write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "set", *small("cifar10"), where="test")
    return tmp_path / "set"


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_order_is_that_of_the_records():
    images, labels = small("cifar10")[1]["train"]
    records = sorted(bytes([y]) + x.tobytes() for x, y in zip(images, labels.tolist(), strict=True))
    ordered, sorted_labels = canonical(images, labels)
    found = [bytes([y]) + x.tobytes() for x, y in zip(ordered, sorted_labels.tolist(), strict=True)]
    assert found == records


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_a_source_does_not_matter(random):
    images, labels = small("cifar10")[1]["test"]
    shuffled = list(range(len(labels)))
    random.shuffle(shuffled)
    assert digest(*canonical(images[shuffled], labels[shuffled])) == digest(
        *canonical(images, labels)
    )


def test_what_is_written_is_loaded(folder):
    spec, splits = small("cifar10")
    data = load(folder)
    for split in ("train", "test"):
        images, labels = canonical(*splits[split])
        found = getattr(data, f"{split}_images")
        assert found.dtype == np.uint8
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, images.transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(getattr(data, f"{split}_labels"), labels)
        assert getattr(data, f"{split}_labels").dtype == np.int64
    assert data.classes == spec.classes
    assert len(contents(folder)) == 5


def test_mean_and_deviation_are_those_of_the_training_images(folder):
    data, values = load(folder), small("cifar10")[1]["train"][0].astype(np.float64) / 255
    np.testing.assert_allclose(data.mean, values.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(data.std, values.std((0, 1, 2)), atol=1e-6)
    assert statistics(np.full((3, 32, 32, 3), 255, np.uint8)) == [[1, 1, 1], [0, 0, 0]]


def test_writing_twice_gives_the_same_bytes(folder, tmp_path):
    spec, splits = small("cifar10")
    backwards = {name: (images[::-1], labels[::-1]) for name, (images, labels) in splits.items()}
    write(tmp_path / "again", spec, backwards, where="elsewhere")
    assert contents(folder) == contents(tmp_path / "again")


def changed(what: str, splits: dict) -> dict:
    images, labels = (each.copy() for each in splits["test"])
    if what == "pixel":
        images[5, 3, 3, 1] ^= 1
    elif what == "two labels exchanged":
        first, second = 0, int(np.flatnonzero(labels != labels[0])[0])
        labels[[first, second]] = labels[[second, first]]
    elif what == "missing image":
        images, labels = images[1:], labels[1:]
    elif what == "missing class":
        labels[labels == 4] = 5
    elif what == "label out of range":
        labels[0] = 10
    elif what == "fewer labels":
        labels = labels[1:]
    elif what == "fractions":
        labels = labels.astype(float)
    elif what == "floats":
        images = images.astype(np.float32)
    else:
        images = images[:, :31]
    return splits | {"test": (images, labels)}


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("pixel", "there: cifar10 test has SHA-256"),
        ("two labels exchanged", "has SHA-256"),
        ("missing image", "has 99 images, not 100"),
        ("missing class", "no image of class deer"),
        ("label out of range", "has a label 10; there are 10 classes"),
        ("fewer labels", "not 100 whole numbers"),
        ("fractions", "labels are float64"),
        ("floats", "images are float32"),
        ("other shape", "not bytes"),
    ],
)
def test_any_change_is_refused_and_nothing_written(what, reason, folder):
    before = contents(folder)
    spec, splits = small("cifar10")
    with pytest.raises(KdpruneError, match=reason) as caught:
        write(folder, spec, changed(what, splits), where="there")
    assert "\n" not in str(caught.value)
    assert contents(folder) == before


def test_a_crash_between_two_files_leaves_no_data_set(folder):
    """Another data set over an old one: new arrays may not go with an old manifest."""
    spec, splits = small("cifar10")
    (folder / "test_labels.npy").unlink()
    (folder / "test_labels.npy").mkdir()  # os.replace fails here, after other files were written
    with pytest.raises(OSError, match="test_labels"):
        write(folder, spec, splits, where="test")
    assert not (folder / "manifest.json").exists()
    assert not list(folder.glob("*.part"))


def test_the_pinned_data_sets():
    assert {name: len(spec.classes) for name, spec in DATASETS.items()} == {
        "cifar10": 10,
        "cifar100": 100,
    }
    assert CIFAR10_CLASSES[3] == "cat"
    assert all(len(set(spec.classes)) == len(spec.classes) for spec in DATASETS.values())
    for spec in DATASETS.values():
        assert spec.counts == {"train": 50_000, "test": 10_000}
        assert all(len(bytes.fromhex(pin)) == 32 for pin in some(spec.digests.values()))


def test_a_description_follows_from_its_images():
    spec, splits = small("cifar100")
    assert described("cifar100", splits) == spec

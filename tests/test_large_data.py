"""A data set is ordered and written without being held: the same bytes, in little memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import own_data
import pytest
from conftest import some
from hypothesis import given, settings
from hypothesis import strategies as st
from test_folder_tables import part, table

from kdprune.data import mapped
from kdprune.errors import KdpruneError
from kdprune.sources import folder, ordering, overlap, piling, writing
from kdprune.sources.ordering import Ordered, ordered
from kdprune.sources.piling import Pile


def records(images, labels) -> list[bytes]:
    return [bytes([y]) + x.tobytes() for x, y in zip(images, labels.tolist(), strict=True)]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), widest=st.sampled_from([1, 200, 5000, 10**6]))
def test_the_order_is_that_of_sorted_records(seed, widest):
    """Whatever part of the images is compared at a time; with many alike, and white above."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 2, (40, 6, 6, 3), np.uint8)
    images[generator.integers(0, 40, 15)] = images[3]  # the same
    images[generator.integers(0, 40, 15), :5] = 255  # told apart by their last row alone
    labels = generator.integers(0, 3, 40)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ordering, "WIDEST", widest)
        patched.setattr(ordering, "LEAST", 7)
        split = ordered(images, labels, "here")
    assert sorted(split.rows.tolist()) == list(range(40))
    assert records(images[split.rows], split.labels) == sorted(records(images, labels))


def test_one_image_and_none_have_an_order():
    images = np.zeros((1, 4, 4, 3), np.uint8)
    assert ordered(images, np.array([7]), "here").rows.tolist() == [0]
    assert ordered(images[:0], np.array([], np.int64), "here").rows.tolist() == []


@pytest.fixture
def large(tmp_path):
    """24 MB of images in a pile, and their labels."""
    pile, generator = Pile(tmp_path, 64), np.random.default_rng(0)
    for _ in range(2000):
        pile.add(generator.integers(0, 256, (64, 64, 3), np.uint8))
    return pile.whole(), np.arange(2000) % 4


def test_what_is_written_is_never_held(large, tmp_path, monkeypatch):
    images, labels = large
    monkeypatch.setattr(mapped, "AT_ONCE", 1 << 19)
    monkeypatch.setattr(ordering, "WIDEST", 1 << 19)
    tracemalloc.start()
    train = ordered(images, labels, "here")
    splits = {"train": train, "test": Ordered(images, train.rows[:8], train.labels[:8])}
    splits["test"] = Ordered(images, np.arange(4), labels[:4])
    overlap.tell(splits, tmp_path)
    spec = writing.Spec("mine", tuple("abcd"), {"train": 2000, "test": 4}, {})
    writing.write(tmp_path / "out", spec, splits, where="here")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < images.nbytes / 3
    written = np.load(tmp_path / "out/train_images.npy", mmap_mode="r")
    np.testing.assert_array_equal(written, images[train.rows].transpose(0, 3, 1, 2))
    np.save(tmp_path / "saved.npy", written)  # the file is numpy's own, byte for byte
    saved = (tmp_path / "saved.npy").read_bytes()
    assert saved == (tmp_path / "out/train_images.npy").read_bytes()


def test_a_pile_leaves_nothing_behind(tmp_path):
    root = own_data.make(tmp_path / "mine", count=4)
    folder.prepare("mine", root, tmp_path / "data" / "out", show=False)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["out"]
    names = {path.name for path in some((tmp_path / "data" / "out").iterdir())}
    parts = {f"{half}_{part}.npy" for half in ("train", "test") for part in ("images", "labels")}
    assert names == parts | {"manifest.json"}


class Full(Pile):
    """On a disk that has no room left; this one cannot be filled in a test."""

    def __init__(self, folder, side):
        super().__init__(folder, side)
        self.file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no Linux")
@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_a_full_disk_is_one_line(kind, tmp_path, monkeypatch):
    if kind == "folder":
        root = own_data.make(tmp_path / "mine", count=4)
    else:
        for half in ("train", "test"):
            table(tmp_path / f"mine/{half}-0.parquet", part(0, 4))
        root = tmp_path / "mine"
    for module in (folder.reading, folder.tables):
        monkeypatch.setattr(module, "Pile", Full)
    with pytest.raises(KdpruneError, match=r": cannot be written, after 0\.0 GB of .*No space"):
        folder.prepare("mine", root, tmp_path / "out", show=False)
    assert not (tmp_path / "out").exists()
    assert piling.Pile is Pile

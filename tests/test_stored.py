"""Images that stay in their file give what tensors of them give, and leave no threads behind."""

import threading
import time
import tracemalloc
from contextlib import closing
from pathlib import Path

import numpy as np
import own_data
import pytest
import torch
from networks import dataset, in_files, tiny
from test_training import RECIPE, make, same, train

from kdprune import memory
from kdprune.data import mapped
from kdprune.data.ahead import NAME, ahead
from kdprune.data.augment import centred
from kdprune.data.mapped import opened
from kdprune.data.stored import Stored, batches, parts
from kdprune.data.tensors import load_tensors, split_sizes
from kdprune.deployment import certificate
from kdprune.errors import KdpruneError
from kdprune.pruning import application
from kdprune.pruning.calibration import batches as looked_at
from kdprune.sources import folder
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.sweep import sweep
from kdprune.training.loop import fit, predict
from kdprune.training.recipe import Recipe

TUNE = {key: RECIPE[key] for key in ("momentum", "nesterov", "weight_decay")}
TUNE |= {"epochs": 1, "batch_size": 16, "lr": 0.01, "views": 2}


@pytest.fixture
def stored(tmp_path):
    return in_files(dataset(), tmp_path)


def reading() -> list[str]:
    """The threads that read ahead."""
    return [one.name for one in threading.enumerate() if one.name.startswith(NAME)]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not reading()


@pytest.mark.parametrize("method", ["none", "crd"])
def test_training_from_a_file_gives_the_same_bytes(method, stored):
    trained = []
    for data in (dataset(), stored):
        task = make(method, data)
        trained.append((train(task, data, epochs=2), task.state_dict()))
    assert trained[0][0] == trained[1][0]
    assert same(trained[0][1], trained[1][1])


@pytest.mark.parametrize("scope", ["head", "all"])
def test_a_sweep_from_a_file_gives_the_same_rows(scope, stored):
    settings = {"method": "channel", "levels": [0.5], "seeds": 2, "re_estimate_images": 48}
    settings["hyperparameters"] = {"criterion": "taylor", "images": 64, "mode": "remove"}
    tables = [
        sweep(tiny(), data, finetune=FineTune(scope=scope, **TUNE), **settings)
        for data in (dataset(), stored)
    ]
    for one, other in zip(*tables, strict=True):
        assert one.equals(other)


def test_what_looks_at_images_sees_the_same(stored):
    plain, model = dataset(), tiny()
    seen = [list(looked_at(data, images=64, size=32)) for data in (plain, stored)]
    assert all(torch.equal(a[0], b[0]) for a, b in zip(*seen, strict=True))
    for run in (predict, certificate.logits):
        one, other = (
            run(model, data["test_images"], data["mean"], data["std"]) for data in (plain, stored)
        )
        assert torch.equal(one, other)
    right = plain["test_labels"] == 3
    for chosen in ([3, 17], [], right, torch.tensor([1, 1]), slice(2, 9)):
        one, other = stored["test_images"][chosen], plain["test_images"][chosen]
        assert one.shape == other.shape
        assert torch.equal(one[torch.arange(len(one))], other)
    with pytest.raises(IndexError):
        stored["test_images"][[30]]
    assert torch.equal(torch.cat(list(stored["val_images"].split(7))), plain["val_images"])
    assert stored["val_images"].cpu().shape == plain["val_images"].shape


def test_pages_are_let_go_of_and_read_again(stored, monkeypatch):
    monkeypatch.setattr(mapped, "HELD", 3 * mapped.FOLIO)  # three images
    assert torch.equal(stored["train_images"].whole(5), dataset()["train_images"])
    monkeypatch.setattr(mapped, "AT_ONCE", 10_000)
    images = stored["test_images"]
    read = np.concatenate(list(mapped.parts(images.array, images.rows)))
    np.testing.assert_array_equal(read, dataset()["test_images"].numpy())


def test_rows_of_a_view_are_read_without_a_copy_of_all():
    """CIFAR's own files have channels first; a view with channels last is no block of memory."""
    held = np.arange(2000 * 3 * 32 * 32, dtype=np.uint8).reshape(2000, 3, 32, 32)
    rows = np.array([1999, 0, 7])
    tracemalloc.start()
    try:
        read = mapped.take(held.transpose(0, 2, 3, 1), rows)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(read, held[rows].transpose(0, 2, 3, 1))
    assert most < 5 * read.nbytes  # of 6 MB in all


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no Linux")
def test_what_was_read_does_not_count_as_the_processs_own(tmp_path):
    np.save(tmp_path / "images.npy", np.ones((1000, 3, 100, 100), np.uint8))
    images = Stored(
        opened(tmp_path / "images.npy"), np.arange(1000), size=100, device=torch.device("cpu")
    )
    before = mapped_bytes()
    with batches(images, torch.randperm(1000), 50) as read:
        assert sum(int(part.sum()) for part in read) == 30_000_000
    assert mapped_bytes() - before < 8e6


def mapped_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssFile:")[2].split()[0])


def test_a_data_set_too_large_for_memory_stays_in_its_files(tmp_path, monkeypatch):
    root = own_data.make(tmp_path / "mine", count=6)
    folder.prepare("mine", root, tmp_path / "out", size=21, crop=0.875, show=False)
    how = {"validation": 0.3, "validation_seed": 0}
    whole = load_tensors(tmp_path / "out", **how)
    monkeypatch.setenv(memory.VARIABLE, "0")
    kept = load_tensors(tmp_path / "out", **how)
    assert whole.keys() == kept.keys()
    for name, value in whole.items():
        other = kept[name]
        assert isinstance(value, torch.Tensor)
        assert isinstance(other, Stored) == name.endswith("_images")
        with parts(other, 3) as read:
            assert torch.equal(torch.cat(list(read)), value)
    assert whole["train_images"].shape[-1] == 24
    array = torch.from_numpy(np.load(tmp_path / "out/test_images.npy"))
    assert torch.equal(whole["test_images"], centred(array, 21))


def test_how_much_images_may_take_is_told_by_a_variable(monkeypatch):
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    assert memory.for_images(80) == 10
    assert memory.for_images(None) == float("inf")
    assert memory.machine() > 10**8
    monkeypatch.setenv(memory.VARIABLE, "1.5")
    assert memory.for_images(80) == 1.5e9
    for wrong in ("much", "-1", "nan"):
        monkeypatch.setenv(memory.VARIABLE, wrong)
        with pytest.raises(KdpruneError, match=rf"^KDPRUNE_IMAGES_GB={wrong}: is no number of"):
            memory.for_images(80)


class Stop(BaseException):
    """As Ctrl-C: no Exception."""


class Interrupted(torch.nn.Module):
    capturable = False

    def __init__(self):
        super().__init__()
        self.network = tiny()

    def forward(self, images, labels, indices):
        assert reading()
        raise Stop


def stopped_after_one(images):
    with parts(images, 4) as read:
        next(read)
        raise Stop


def test_an_interrupted_training_leaves_no_threads(stored):
    with pytest.raises(Stop) as caught:
        fit(
            Interrupted(),
            Recipe(**RECIPE),
            images=stored["train_images"],
            labels=stored["train_labels"],
            val_images=stored["val_images"],
            val_labels=stored["val_labels"],
            mean=stored["mean"],
            std=stored["std"],
        )
    assert not reading(), caught  # which holds the frames alive
    with pytest.raises(Stop) as caught:
        stopped_after_one(stored["test_images"])
    assert not reading(), caught


def test_results_come_in_order_and_few_are_held():
    begun = []

    def slow(item):
        begun.append(item)
        time.sleep(0.002 * (item % 3))
        return item

    with closing(ahead(slow, range(100), threads=3, waiting=5)) as results:
        for place, result in zip(range(40), results, strict=False):
            assert result == place
            assert len(begun) <= place + 7
    assert list(ahead(slow, range(7), threads=3, waiting=50)) == list(range(7))


def test_a_failure_comes_where_its_result_would():
    with closing(ahead(lambda item: 1 // item, [1, 1, 0, 1])) as results:
        assert [next(results), next(results)] == [1, 1]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_batches_follow_the_order(stored):
    order = torch.tensor([5, 1, 1, 60, 7])
    for images in (dataset()["train_images"], stored["train_images"]):
        with batches(images, order, 2) as read:
            sizes = [len(part) for part in read]
        with batches(images, order, 2) as read:
            whole = torch.cat(list(read))
        assert sizes == [2, 2, 1]
        assert torch.equal(whole, dataset()["train_images"][order])


@pytest.mark.parametrize("method", ["channel", "weight"])
def test_methods_that_look_at_images_see_them_as_training_does(method):
    seen = []

    def views(images, generator):
        seen.append(len(images))
        return images

    how = {"criterion": "taylor", "images": 64}
    how |= {"scope": "global"} if method == "weight" else {}
    next(application.prune(method, tiny(), [0.5], how, dataset, None, views))
    assert sum(seen) == 64
    next(application.prune(method, tiny(), [0.5], how, dataset))
    assert sum(seen) == 64


def test_sizes_of_the_split_are_those_of_what_is_loaded(tmp_path):
    root = own_data.make(tmp_path / "mine", count=7)
    folder.prepare("mine", root, tmp_path / "out", size=21, crop=0.875, show=False)
    found = split_sizes(tmp_path / "out", 0.25, 0)
    loaded = load_tensors(tmp_path / "out", validation=0.25, validation_seed=0)
    assert found == {part: len(loaded[f"{part}_labels"]) for part in ("train", "val", "test")}

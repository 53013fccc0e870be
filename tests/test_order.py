"""The order of dvc.lock after a run that was cut short."""

import json

import pytest
import workspace

from kdprune.running import order


def write(lock, names):
    lock.write_text("stages:\n" + "".join(f"  {name}:\n    cmd: x\n" for name in names))


@pytest.fixture
def files(tmp_path):
    """A lock file in a repository without a commit of it, and where its order is kept."""
    workspace.git(tmp_path, "init", "-q")
    return tmp_path / "dvc.lock", tmp_path / ".run/order.json"


def test_a_lock_that_a_killed_run_left_gets_the_order_from_before_it(files):
    lock, kept = files
    write(lock, "b")
    assert order.order_before(lock, kept) == ["b"]
    write(lock, "bza")  # the run was killed: z came first
    assert order.order_before(lock, kept) == ["b"]
    kept.unlink()
    assert order.order_before(lock, kept) == ["b", "z", "a"]


def test_another_branchs_lock_keeps_its_own_order(files):
    lock, kept = files
    write(lock, "xa")
    order.order_before(lock, kept)
    write(lock, "ax")
    assert order.order_before(lock, kept) == ["a", "x"]


def test_a_lock_that_is_committed_keeps_its_order(files):
    lock, kept = files
    write(lock, "b")
    order.order_before(lock, kept)
    write(lock, "bza")
    workspace.git(lock.parent, "add", "dvc.lock")
    workspace.git(lock.parent, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a")
    assert order.order_before(lock, kept) == ["b", "z", "a"]
    assert json.loads(kept.read_text()) == ["b", "z", "a"]


def test_without_a_lock_there_is_no_order(files):
    lock, kept = files
    assert order.order_before(lock, kept) == []
    order.in_order(lock, ["a"])
    assert not lock.exists()


@pytest.mark.parametrize("text", ["5", "null", '"ab"', '{"b": 1}', "[" * 100_000, "[", ""])
def test_a_damaged_order_is_none(text, files):
    lock, kept = files
    write(lock, "ab")
    kept.parent.mkdir()
    kept.write_text(text)
    assert order.order_before(lock, kept) == ["a", "b"]

"""A slot's clone, what is run in it, and what comes back."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import workspace

from kdprune.errors import KdpruneError
from kdprune.running import on_ray, slot

RAY = importlib.util.find_spec("ray") is not None


@pytest.fixture
def study(tmp_path):
    """A folder with a commit, a change that is not committed, and a file that is ignored."""
    folder = tmp_path / "a study"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("")
    (folder / "params.yaml").write_text("a: 1\n")
    (folder / ".gitignore").write_text("secret\n.dvc/config.local\n")
    workspace.git(folder, "init", "-q", "-b", "main")
    workspace.commit(folder, "one")
    (folder / "params.yaml").write_text("a: 2\n")
    (folder / "new.py").write_text("")
    (folder / "secret").write_text("token")
    return folder


def told(folder, *arguments):
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_clone_has_what_is_there_and_nothing_that_git_ignores(study, tmp_path):
    before = told(study, "status", "--porcelain"), told(study, "for-each-ref")
    file, place = tmp_path / "bundle", tmp_path / "node" / "slot"
    slot.bundle(study, file)
    slot.clone(file, place, "[cache]\n    dir = /shared\n")
    assert (place / "params.yaml").read_text() == "a: 2\n"
    assert (place / "new.py").exists()
    assert not (place / "secret").exists()
    assert "/shared" in (place / ".dvc/config.local").read_text()
    assert (told(study, "status", "--porcelain"), told(study, "for-each-ref")) == before


def test_with_a_remote_what_ran_is_pushed():
    assert slot.commands("teach@a", remote=False) == [["repro", "teach@a"]]
    pulled, pushed = slot.commands("teach@a", remote=True)
    assert "--pull" in pulled
    assert pushed == ["push", "--run-cache", "teach@a"]


def attempt(monkeypatch, answers):
    """Run an instance with a remote; `answers` are DVC's. Return what came, and the pauses."""
    given, pauses = iter(answers), []
    monkeypatch.setattr(slot, "_dvc", lambda *_: next(given))
    monkeypatch.setattr(slot.time, "sleep", pauses.append)
    status, output = slot.run("teach@a", Path(), remote=True, variables={})
    assert not list(given)
    return status, output, pauses


def test_a_push_is_tried_three_times(monkeypatch):
    answers = [(0, b"trained\n"), (1, b"refused\n"), (1, b"refused\n"), (0, b"pushed\n")]
    assert attempt(monkeypatch, answers) == (0, b"trained\nrefused\nrefused\npushed\n", [0, 2, 10])


def test_a_push_that_fails_is_told_from_a_training_that_does(monkeypatch):
    status, output, _ = attempt(monkeypatch, [(0, b"")] + 3 * [(1, b"refused")])
    assert status == 1
    assert "teach@a itself is done, on this node; only `dvc push` failed" in slot.tail_of(output)
    assert attempt(monkeypatch, [(2, b"bad")]) == (2, b"bad", [])


def test_the_end_of_a_long_output_is_kept(monkeypatch):
    _, output, _ = attempt(monkeypatch, [(0, b"a" * 2**19), (0, b"end")])
    assert len(output) == 2**18
    assert output.endswith(b"end")


def test_what_a_killed_instance_left_is_ended_and_not_waited_for(tmp_path, monkeypatch):
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\nsleep 60 &\necho $! > left\necho said\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    began = time.monotonic()
    assert slot._dvc(["repro"], tmp_path, {}) == (-9, b"said\n")
    left = int((tmp_path / "left").read_text())
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE
    assert time.monotonic() - began < 30


def test_without_a_commit_there_is_nothing_to_send(tmp_path):
    workspace.git(tmp_path, "init", "-q")
    with pytest.raises(KdpruneError, match="commit once here"):
        slot.bundle(tmp_path, tmp_path / "bundle")


def test_a_study_is_named_alike_in_every_clone_and_after_every_commit(study, tmp_path):
    name = slot.identity(study)
    workspace.commit(study, "another")
    slot.bundle(study, tmp_path / "bundle")
    slot.clone(tmp_path / "bundle", tmp_path / "clone", "")
    assert slot.identity(study) == slot.identity(tmp_path / "clone") == name


@pytest.mark.skipif(RAY, reason="ray is installed")
def test_without_ray_a_line_says_how_to_get_it():
    with pytest.raises(KdpruneError, match="Ray is not installed"):
        on_ray.OnRay("auto", 1, 0.0, settings="", remote=False)

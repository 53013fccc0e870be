"""What DVC leaves half-written when it is killed is put right, and nothing else is touched."""

import os
import subprocess
import sys

import pytest
import workspace
import yaml

from kdprune.errors import KdpruneError
from stages.runner import lockfile, mend, outlook, strangers, studies
from stages.runner import stale as stale_by

HEAD = "schema: '2.0'\nstages:\n"
STAGES = {name: f"  {name}:\n    cmd: x\n    outs:\n    - path: {name}\n" for name in "abcd"}
WHOLE = HEAD + "".join(STAGES.values())


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """A lock file, as old as time, that a stage has just copied."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mend, "PATIENCE", 0)
    path = tmp_path / "dvc.lock"
    path.write_text(WHOLE)
    os.utime(path, (5, 5))
    mend.keep_lock()
    assert not mend.COPY.exists()  # DVC has not just read it
    monkeypatch.setenv("DVC_STAGE", "b")
    mend.keep_lock()
    assert (mend.COPY.read_text(), mend.COPY.stat().st_mtime) == (WHOLE, 5)
    return path


CUT = {
    "empty": "",
    "in a line": WHOLE[: WHOLE.index("outs") + 2],
    "behind a line of a stage": WHOLE[: WHOLE.index("    outs", WHOLE.index("  c:"))],
    "in a stage that was run": HEAD + STAGES["a"] + STAGES["b"].replace("x", "y")[:-16],
    "before the first stage": HEAD,
}


@pytest.mark.parametrize("how", CUT)
def test_a_lock_that_was_cut_off_is_put_back(how, lock):
    lock.write_text(CUT[how])
    with pytest.raises(KdpruneError, match=r"put back from .*: run the command again"):
        mend.keep_lock()
    assert (lock.read_text(), lock.stat().st_mtime) == (WHOLE, 5)
    mend.keep_lock()


FINE = {
    "all there": WHOLE,
    "a stage has another record": WHOLE.replace("cmd: x", "cmd: y", 1),
    "a person removed the last": HEAD + STAGES["a"] + STAGES["b"],
    "a person removed the last, of which one had run": HEAD
    + STAGES["a"]
    + STAGES["b"].replace("x", "y"),
    "another stage": WHOLE + STAGES["a"].replace("a", "e"),
    "the first stage is gone": HEAD + STAGES["b"] + STAGES["c"] + STAGES["d"],
    "another study": HEAD
    + STAGES["a"].replace("x", "y")
    + STAGES["b"].replace("x", "y")
    + "  c:\n",
}


@pytest.mark.parametrize("how", FINE)
def test_any_other_lock_is_taken_as_it_is(how, lock, capsys):
    lock.write_text(FINE[how])
    mend.keep_lock()
    assert lock.read_text() == FINE[how] == mend.COPY.read_text()
    lost = [name for name in STAGES if f"  {name}:" not in FINE[how]]
    told = capsys.readouterr().err
    assert (f"lacks {len(lost)} of the stages" in told) == bool(lost)
    if lost:
        assert f"such as {lost[0]}" in told
        assert mend.COPY.with_name("dvc.lock.earlier").read_text() == WHOLE


def test_an_earlier_commits_lock_is_taken_as_it_is(lock):
    half = CUT["behind a line of a stage"]
    lock.write_text(half)
    workspace.git(lock.parent, "init", "-q")
    workspace.commit(lock.parent, "half of the study")
    mend.keep_lock()
    assert lock.read_text() == half


def test_what_git_has_put_back_is_told_of_by_nobody(lock, capsys):
    """As `git restore .` does after an experiment with a larger grid; what is not so is told."""
    shorter = HEAD + STAGES["a"] + STAGES["b"]
    workspace.git(lock.parent, "init", "-q")
    lock.write_text(shorter)
    workspace.commit(lock.parent, "a smaller study")
    assert mend.main() == 0
    mend.keep_lock()
    assert capsys.readouterr().err == ""
    mend.COPY.write_text(WHOLE)
    lock.write_text(shorter + STAGES["c"])
    assert mend.main() == 0
    assert "lacks 1 of the stages" in capsys.readouterr().err


def test_another_dvc_may_be_writing(lock, monkeypatch):
    lock.write_text("")
    monkeypatch.setattr(mend.time, "sleep", lambda _: lock.write_text(WHOLE))
    mend.keep_lock()
    assert lock.read_text() == WHOLE


def test_the_command_mends_both(lock, capsys):
    assert mend.main() == 0
    assert capsys.readouterr().err == ""
    lock.write_text("")
    mend.RWLOCK.parent.mkdir(parents=True)
    mend.RWLOCK.write_text('{"/data": {"read": [{"pid": 1')
    assert mend.main() == 0
    assert lock.read_text() == WHOLE
    assert not mend.RWLOCK.exists()
    assert capsys.readouterr().err.count("was cut off") == 2
    mend.RWLOCK.write_text("{}")
    assert mend.main() == 0
    assert mend.RWLOCK.exists()


def test_the_command_leaves_what_a_person_shortened(lock, capsys):
    shorter = HEAD + STAGES["a"] + STAGES["b"]
    lock.write_text(shorter)
    assert mend.main() == 0
    assert lock.read_text() == shorter
    assert mend.COPY.read_text() == WHOLE
    told = capsys.readouterr().err
    assert "lacks 2 of the stages that .run/dvc.lock has, such as c" in told
    assert "cp -p .run/dvc.lock dvc.lock" in told


@pytest.mark.parametrize("key", ["cifar10-x; touch hacked", "cifar10-$(touch hacked)", "a b", "ä'"])
def test_a_key_that_a_shell_would_run_is_refused_before_dvc_sees_it(
    key, values, tmp_path, monkeypatch, capsys
):
    """`make repro` mends first: DVC gives the grid's keys to a shell, as parts of commands."""
    monkeypatch.chdir(tmp_path)
    teachers = values["grid"]["teachers"]
    values["grid"]["teachers"] = {key: next(iter(teachers.values())), **teachers}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert mend.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "params.yaml: grid" in line
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def in_a_project(folder, values):
    """A folder of DVC's with one stage, whose grid is that of `values`."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    (folder / "dvc.yaml").write_text("stages:\n  made:\n    cmd: x\n    outs: [made]\n")


def stale(folder):
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_a_lock_of_another_grid_alone_is_removed_and_dvc_goes_on(lock, values, capsys):
    in_a_project(lock.parent, values)
    assert mend.main() == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "4 results of another grid" in line
    assert not lock.exists()
    assert not mend.COPY.exists()  # what it holds is no loss: nothing would be told of it
    status, told = stale(lock.parent)
    assert status == 0
    assert "made" in told
    assert mend.main() == 0


@pytest.mark.parametrize("text", [HEAD, HEAD.replace("stages:", "stages: {}"), ""])
def test_a_lock_without_stages_and_without_a_copy_is_removed(text, lock, values, capsys):
    in_a_project(lock.parent, values)
    mend.COPY.unlink()
    lock.write_text(text)
    assert mend.main() == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "dvc.lock: named no stage" in line
    assert not lock.exists()


@pytest.mark.parametrize("text", [HEAD, HEAD + "  a:\n", HEAD + "- a\n"])
def test_what_a_lock_names_is_read_whole_or_refused(text, tmp_path):
    path = tmp_path / "dvc.lock"
    path.write_text(text)
    if text == HEAD:
        assert lockfile.entries(str(path)) == {}
        return
    with pytest.raises(KdpruneError, match=r"dvc.lock: holds no record of each stage"):
        lockfile.entries(str(path))


def test_the_readers_of_a_lock_take_one_without_stages(tmp_path, monkeypatch):
    in_a_project(tmp_path, {"grid": {}})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.lock").write_text(HEAD)
    assert lockfile.differences()[0] == ["made: is not in dvc.lock"]
    assert outlook.left({}) == ([], 0)
    assert not stale_by.only("teach", "a", {"x"})
    assert list(studies.torn(tmp_path)) == []
    assert strangers.drop() == strangers.drop_other_grids() == []

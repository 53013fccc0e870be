"""What DVC leaves half-written when it is killed is put right, and nothing else is touched."""

import os

import pytest
import workspace
import yaml

from kdprune.errors import KdpruneError
from stages.runner import mend

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

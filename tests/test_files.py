"""Files are whole or not there, whoever was killed; unfinished work is intact or passed over."""

import os
import shutil
import subprocess
import sys

import pytest

from kdprune import files
from kdprune.files import before, keep, kept, replacing
from kdprune.study import code, paths, unfinished


def test_what_dead_processes_left_goes(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        text=True,
        capture_output=True,
        check=True,
    )
    ours, gone = files._machine(), done.stdout.strip()
    dead = tmp_path / f".a[1].csv.{ours}-{gone}-abc_.part"
    other = tmp_path / f".b.csv.{ours}-{gone}-abc_.part"
    living = tmp_path / f".a[1].csv.{ours}-{os.getppid()}-abc_.part"
    elsewhere = tmp_path / f".a[1].csv.00000000-{gone}-abc_.part"  # of who shares the disk
    left = {other, living, elsewhere}
    for file in (dead, *left):
        file.touch()
    with replacing(tmp_path / "a[1].csv") as temporary:
        temporary.write_text("x")
    assert {file.name for file in tmp_path.iterdir()} == {"a[1].csv", *(file.name for file in left)}


@pytest.mark.parametrize("at", ["mkstemp", "write", "fsync"])
def test_a_full_disk_names_the_file_and_leaves_the_last(at, tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("earlier")

    named = [f"{path}.x.part"] if at == "mkstemp" else []

    def full(*arguments, **options):
        raise OSError(28, "No space left on device", *named)

    def write():
        with replacing(path) as temporary:
            temporary.write_text("new")
            if at == "write":
                full()

    if at != "write":
        monkeypatch.setattr({"mkstemp": "tempfile.mkstemp", "fsync": "os.fsync"}[at], full)
    with pytest.raises(OSError, match="No space left") as caught:
        write()
    assert caught.value.filename == str(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "earlier"


def test_unfinished_work_has_a_predecessor(tmp_path, capsys):
    path = tmp_path / "x.ckpt"
    assert kept(path) is None
    keep(path, b"one")
    assert not before(path).exists()
    keep(path, b"two")
    assert kept(path) == b"two"
    path.write_bytes(path.read_bytes()[:-1])
    assert kept(path) == b"one"
    before(path).write_bytes(b"")
    assert kept(path) is None
    assert capsys.readouterr().err.count("is damaged") == 3
    path.unlink()
    assert kept(path) is None


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stages").mkdir()
    for name in ("teach", "code", "stranger"):
        text = "import stages.code" if name == "teach" else "1"
        (tmp_path / f"stages/{name}.py").write_text(text)
    for module in (code, unfinished):
        monkeypatch.setattr(module, "located", tmp_path.joinpath)
    code.imported.cache_clear()
    monkeypatch.delenv("KDPRUNE_UNFINISHED", raising=False)
    (tmp_path / "data").write_text("1")
    yield tmp_path
    code.imported.cache_clear()


def work(**changes):
    given = {"inputs": [paths.Path("data")], "parameters": {"lr": 0.1}} | changes
    return unfinished.path("teach", "net", "none", **given)


@pytest.mark.parametrize("change", ["parameters", "data", "code", "version"])
def test_another_configuration_has_another_name(change, project, monkeypatch):
    first = work().name
    assert work().name == first
    changes = {}
    if change == "parameters":
        changes = {"parameters": {"lr": 0.2}}
    elif change == "version":
        monkeypatch.setattr(unfinished.versions, "installed", lambda names: {"torch": "0"})
    else:
        (project / {"data": "data", "code": "stages/code.py"}[change]).write_text("2")
    assert work(**changes).name != first


def test_code_that_a_stage_does_not_import_leaves_its_work_alone(project):
    first = work().name
    (project / "stages/stranger.py").write_text("2")
    assert work().name == first


def test_what_dvc_has_recorded_is_forgotten(project):
    path = work()
    keep(path, b"one")
    keep(path, b"two")
    lock = project / "dvc.lock"
    lock.touch()
    assert kept(work()) == b"two"  # killed: the stage has not ended
    path.unlink()  # it has
    os.utime(lock, (0, 0))
    assert kept(work()) == b"one"  # but DVC recorded nothing since
    lock.touch()
    assert kept(work()) is None


def test_work_lies_with_the_clone_of_an_experiment(project, monkeypatch):
    copy = project / ".dvc/tmp/exps/tmpabc"
    copy.mkdir(parents=True)
    own = paths.unfinished().resolve()
    assert own == project / ".run/unfinished"
    monkeypatch.chdir(copy)
    assert paths.unfinished() == own
    monkeypatch.setenv("KDPRUNE_UNFINISHED", str(project / "shared"))
    assert paths.unfinished() == project / "shared"


def test_another_workspaces_lock_says_what_is_recorded(project, monkeypatch, tmp_path_factory):
    """Work that another workspace ended stays until its own dvc.lock is newer, or it is gone."""
    monkeypatch.setenv("KDPRUNE_UNFINISHED", str(project / "shared"))
    other = tmp_path_factory.mktemp("other")
    (other / "data").write_text("1")
    monkeypatch.chdir(other)
    (other / "dvc.lock").touch()
    os.utime(other / "dvc.lock", (0, 0))
    path = work()
    keep(path, b"one")
    keep(path, b"two")
    path.unlink()
    monkeypatch.chdir(project)
    (project / "dvc.lock").touch()
    unfinished._forget_recorded(paths.unfinished())
    assert kept(path) == b"one"
    shutil.rmtree(other)
    unfinished._forget_recorded(paths.unfinished())
    assert kept(path) is None

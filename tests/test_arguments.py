"""Arguments that contradict each other or what is on the disk: one line, before any work."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from kdprune.__main__ import main
from kdprune.cli import run
from kdprune.deployment import bundle
from kdprune.errors import KdpruneError
from kdprune.study import commission, founding


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["evaluate", "exp", "--out", ""], "--out"),
        (["evaluate", "exp", "--out="], "--out"),
        (["inspect", ""], "an argument"),
        ([""], "an argument"),
    ],
)
def test_an_argument_without_a_character_is_no_folder(given, named, capsys):
    assert main(given) == 2
    assert (
        capsys.readouterr().err == f"kdprune: {named}: is empty; give it a value, or leave it out\n"
    )


def test_help_that_could_not_be_written_is_a_fault(monkeypatch, tmp_path, capsys):
    class Full:
        def write(self, _):
            raise OSError(28, "No space left on device")

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["--help"]) == 2


@pytest.mark.parametrize("place", ["file/x", "self", "self/x"])
def test_a_place_that_cannot_be_a_folder_is_told_before_the_work(place, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "self").symlink_to("self")
    with pytest.raises(KdpruneError, match=r"a file where a folder must be|circle of links"):
        bundle.check_target(tmp_path / place)
    bundle.check_target(tmp_path / "new" / "er")


def test_a_name_that_is_no_text_is_no_target(tmp_path):
    with pytest.raises(KdpruneError, match="is no UTF-8"):
        bundle.check_target(tmp_path / os.fsdecode(b"\xff"))


def test_an_evaluation_is_not_begun_where_it_could_not_be_written(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["evaluate", str(tmp_path), "--out", str(tmp_path / "file")]) == 2
    assert "is a file where a folder must be" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "0000100000000", "1001", "²"])
def test_a_count_is_read_whole(count):
    with pytest.raises(Exception, match="is no number from 1 to 1000"):
        run._count(count)


def test_a_study_is_not_made_among_the_images(tmp_path, capsys):
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
    photos = str(tmp_path / "photos")
    assert main(["compress", "resnet18", photos, "--out", f"{photos}/small"]) == 2
    assert "lies among the images" in capsys.readouterr().err
    assert main(["compress", "resnet18", photos, "--out", f"{tmp_path}/x", "--size", "0"]) == 2
    assert "--size: from 8" in capsys.readouterr().err


@pytest.mark.parametrize("there", [True, False])
def test_what_is_interrupted_leaves_nothing_and_can_be_asked_again(there, tmp_path):
    folder = tmp_path / "study"
    if there:
        folder.mkdir()

    def interrupted():
        with founding.whole(folder) as staged:
            founding.found(staged, images=False)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert folder.exists() == there
    assert not there or not any(folder.iterdir())
    folder.mkdir(exist_ok=True)
    (folder / "note").touch()
    with pytest.raises(KdpruneError, match="is not empty"), founding.whole(folder):
        pytest.fail("what is there is none of ours")
    assert (folder / "note").exists()


def founded(folder):
    if not founding.resumed(folder):
        with founding.whole(folder) as staged:
            founding.found(staged, images=False)


def killed_at(moment, folder, monkeypatch):
    """Found a study in a child, which is killed when it writes or moves for the so manieth time."""
    if child := os.fork():
        return os.waitpid(child, 0)[1] == signal.SIGKILL
    left = iter([None] * (moment - 1))

    def counted(work):
        def done(*given, **named):
            if founding.STAGED in given[-1].parts[-2:]:  # not each of the files in code/
                next(left, "kill") and os.kill(os.getpid(), signal.SIGKILL)
            return work(*given, **named)

        return done

    for name in ("touch", "unlink", "rmdir"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    move = Path.rename
    monkeypatch.setattr(Path, "rename", lambda item, to: counted(lambda _: move(item, to))(item))
    monkeypatch.setattr(founding, "_copy", counted(founding._copy))
    founded(folder)
    os._exit(0)


def test_what_is_killed_at_any_moment_is_made_whole_by_the_same_command(tmp_path, monkeypatch):
    founding.found(tmp_path / "whole", images=False)
    wanted = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*")}
    for moment in range(1, 100):
        folder = tmp_path / str(moment)
        if moment % 2:  # else it is not there before
            folder.mkdir()
        killed = killed_at(moment, folder, monkeypatch)
        if killed and {path.relative_to(folder) for path in folder.rglob("*")} != wanted:
            founded(folder)
        assert {path.relative_to(folder) for path in folder.rglob("*")} == wanted
        if not killed:
            break
        shutil.rmtree(folder)
    assert 15 < moment < 99


def test_a_damaged_note_of_what_was_asked_is_one_line(tmp_path):
    (tmp_path / commission.ASKED).write_text("{")
    with pytest.raises(KdpruneError, match="is damaged; name another --out"):
        commission._asked_before(tmp_path / commission.ASKED)

"""However a command's streams are, its status says how it went, and no traceback is printed."""

import errno
import os
import subprocess
import sys
import tempfile

import pytest
from conftest import ROOT

from kdprune.errors import status_of

LINES = """
import sys
from kdprune.ending import ended
from kdprune.errors import KdpruneError
def work():
    for number in range(100_000):
        print(number)
    {last}
sys.exit(ended(work))
"""


@pytest.mark.parametrize(
    ("last", "streams", "status"),
    [
        ("pass", ">/dev/null", 0),
        ("return 1", ">/dev/null", 1),
        ("return 1", "| head -1 >/dev/null", 0),  # the reader has seen enough
        ("return 1", ">&-", 1),
        ("raise KdpruneError('so')", ">/dev/null", 2),
        ("raise KdpruneError('so')", "2>/dev/full >/dev/null", 2),
        ("return 0", ">/dev/full", 2),  # what was asked for is lost
    ],
)
def test_a_command_ends(last, streams, status):
    command = f"exec 3>&1; '{sys.executable}' -c \"$0\" {streams}; echo ${{PIPESTATUS[0]}} >&3"
    done = subprocess.run(
        ["bash", "-c", command, LINES.format(last=last)], cwd=ROOT, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert int(done.stdout.splitlines()[-1]) == status


def test_a_folder_that_is_gone_is_one_line(tmp_path):
    command = f"cd '{tmp_path}' && mkdir gone && cd gone && rmdir ../gone && exec \"$@\""
    run = [sys.executable, "-m", "kdprune", "--version"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", command, "bash", *run], env=path, capture_output=True, text=True
    )
    told = "kdprune: the current folder is no longer there; change to one that is\n"
    assert (done.returncode, done.stderr.splitlines(True)[-1]) == (2, told)
    assert "Traceback" not in done.stderr


def test_no_room_for_temporary_files_is_one_line(monkeypatch, capsys):
    def refused(*_):
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile._os, "open", refused)
    assert status_of(tempfile.mkdtemp) == 2
    told = capsys.readouterr().err
    assert told.startswith("kdprune: No usable temporary directory found in [")
    assert told.endswith("; make room there, or set TMPDIR to another folder\n")


def test_the_projects_own_commands_end_so():
    for name in ("experiments", "differences", "studies", "verify"):
        text = (ROOT / f"stages/runner/{name}.py").read_text()
        assert text.rstrip().splitlines()[-1].strip().startswith("sys.exit(ended(")


@pytest.mark.parametrize("command", ["-m stages nonsense", "conf/compose.py nonsense=1"])
def test_a_refusal_that_nobody_can_read_still_has_its_status(command):
    done = subprocess.run(["bash", "-c", f"'{sys.executable}' {command} 2>/dev/full"], cwd=ROOT)
    assert done.returncode == 2

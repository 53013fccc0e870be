"""However a command's streams are, its status says how it went, and no traceback is printed."""

import subprocess
import sys

import pytest
from conftest import ROOT

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


def test_the_projects_own_commands_end_so():
    for name in ("experiments", "differences", "studies", "verify"):
        text = (ROOT / f"stages/runner/{name}.py").read_text()
        assert text.rstrip().splitlines()[-1].strip().startswith("sys.exit(ended(")


@pytest.mark.parametrize("command", ["-m stages nonsense", "conf/compose.py nonsense=1"])
def test_a_refusal_that_nobody_can_read_still_has_its_status(command):
    done = subprocess.run(["bash", "-c", f"'{sys.executable}' {command} 2>/dev/full"], cwd=ROOT)
    assert done.returncode == 2

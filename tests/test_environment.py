"""Without the libraries, one line that says what to do; any other fault as ever."""

import subprocess
import sys

import pytest
from conftest import ROOT

STARTS = [["-m", "kdprune", "report"], ["-m", "stages", "breakpoints"], ["conf/compose.py"]]


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Start Python without any installed package."""
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("arguments", STARTS, ids=" ".join)
def test_missing_libraries_are_told_in_a_line(arguments):
    ended = run(arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("kdprune: ")
    assert ended.stderr.count("\n") == 1
    for said in ("is not installed for", "make setup", ".venv/bin/activate"):
        assert said in ended.stderr


@pytest.mark.parametrize(
    ("fault", "said"),
    [("import kdprune.nowhere", "ModuleNotFoundError"), ("1 / 0", "ZeroDivisionError")],
)
def test_a_fault_of_the_program_keeps_its_traceback(fault, said):
    code = f"from kdprune import environment\nenvironment.excuse()\n{fault}"
    ended = run(["-c", code])
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert said in ended.stderr

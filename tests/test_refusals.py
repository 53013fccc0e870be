"""What a user gets to see, through the real DVC, where a value or a place is refused: one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import workspace
from conftest import ROOT

NEEDED = ("conf", "kdprune", ".dvc/config", ".dvc/.gitignore", "dvc.yaml", "params.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A repository that has parameters and their code, and no results."""
    made = tmp_path_factory.mktemp("refused")
    listed = subprocess.run(["git", "ls-files", *NEEDED], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes((ROOT / name).read_bytes())
    (made / "docs").mkdir()
    (made.parent / "other/kdprune").mkdir(parents=True)  # another clone's, as it was once
    (made.parent / "other/kdprune/__init__.py").write_text("raise SystemExit('the wrong tree')")
    workspace.git(made, "init", "-q", "-b", "main")
    workspace.commit(made, "parameters")
    return made


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (".", "teach.epochs=abc", "conf: teach.epochs = 'abc': input should be a valid integer"),
        ("docs", "teach.epochs=2", "run this from the root of the project, .."),
    ],
)
def test_dvc_tells_of_it_as_of_a_fault_of_the_user(folder, place, value, said):
    """As the script `dvc` does it, in an environment that holds another clone's code."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dvc", "exp", "run", "-S", value],
        cwd=folder / place,
        env={**os.environ, "PYTHONPATH": str(folder.parent / "other")},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert done.stderr.splitlines() == [f"ERROR: {said}"]
    status = ["git", "status", "--porcelain"]
    assert subprocess.run(status, cwd=folder, capture_output=True, text=True).stdout == ""

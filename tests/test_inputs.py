"""A stage whose code or parameters change while it runs is refused, and recorded by nobody."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import workspace
from conftest import ROOT

from stages.runner import inputs, run


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The small study, with a teacher whose stage waits for a file before it ends."""
    folder = workspace.make(tmp_path_factory.mktemp("truth"))
    script = folder / "stages/download.py"
    text = script.read_text().rstrip("\n")
    waits = "\n    import time\n    from pathlib import Path\n"
    waits += "    Path('.run/begun').touch()\n"
    waits += "    while Path('.run/wait').exists():\n        time.sleep(0.02)\n"
    script.write_text(text + waits)
    workspace.commit(folder, "wait")
    return folder


def while_it_runs(folder: Path, change) -> subprocess.CompletedProcess:
    """Run download with the real DVC; call `change` in the middle of it."""
    (folder / ".run").mkdir(exist_ok=True)
    (folder / ".run/begun").unlink(missing_ok=True)
    (folder / ".run/wait").touch()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder), "KDPRUNE_WARM": "0"}
    command = [sys.executable, "-m", "dvc", "repro", "--force", "download"]
    started = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=-1, stderr=-1, text=True
    )
    deadline = time.monotonic() + 120
    while not (folder / ".run/begun").exists():
        assert started.poll() is None, started.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    change()
    (folder / ".run/wait").unlink()
    out, err = started.communicate(timeout=120)
    return subprocess.CompletedProcess(command, started.returncode, out, err)


def replace(file: Path, old: str, new: str) -> str:
    """Rewrite a file; return what it was."""
    text = file.read_text()
    assert re.search(old, text)
    file.write_text(re.sub(old, new, text))
    return text


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("params.yaml", "source: embedded", "source: hub", "data.source: changed while download"),
        ("kdprune/records.py", r"\Z", "# another\n", "kdprune/records.py: changed while download"),
    ],
)
def test_what_changes_meanwhile_is_not_recorded(study, name, old, new, told):
    lock, was = study / "dvc.lock", (study / name).read_text()
    before = lock.read_bytes() if lock.exists() else None
    done = while_it_runs(study, lambda: replace(study / name, old, new))
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("kdprune:")]
    assert len(lines) == 1
    assert told in lines[0]
    assert "Traceback" not in done.stderr
    assert (lock.read_bytes() if lock.exists() else None) == before
    (study / name).write_text(was)
    assert workspace.dvc(study, "repro", "--no-run-cache", "download") == ["download@cifar10"]
    assert workspace.dvc(study, "repro", "download") == []
    lock.unlink()


def test_params_that_are_back_in_time_are_no_change(study):
    def swap():
        was = replace(study / "params.yaml", "source: embedded", "source: hub")
        (study / "params.yaml").write_text(was)

    assert while_it_runs(study, swap).returncode == 0


def test_code_that_was_another_in_between_is_a_change(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = tmp_path / "code.py"
    code.write_text("1")
    before = inputs._files(Path("code.py"))
    code.write_text("2")
    code.write_text("1")
    os.utime(code, ns=(0, 0))
    assert inputs._files(Path("code.py")) != before


DEEP = "a: " + "[" * 70 + "]" * 70 + "\n"


@pytest.mark.parametrize("text", [DEEP, "grid: {datasets: 5}\n", "grid: 5\n", "5\n"])
@pytest.mark.parametrize("stage", [["breakpoints"], ["download", "cifar10"]])
def test_parameters_that_are_none_are_one_line(text, stage, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "x")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(text)
    assert run.run(stage) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "params.yaml" in line
    (tmp_path / "dvc.yaml").write_text("- 1\n")
    assert run.run(stage) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1

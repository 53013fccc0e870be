"""Faults of disks: full, read-only, and processes that end between writing and renaming."""

import contextlib
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

from faults import study
from faults.cases import Fault
from faults.run import Run

# In the workspace only: does at the k-th call of a function what a crash or a full disk does.
FAULTY = """import json, os, pathlib, signal
plan = pathlib.Path(".run/fault.json")

def counted(name, original):
    def call(*arguments, **options):
        if plan.exists():
            told = json.loads(plan.read_text())
            if told["call"] == name:
                told["at"] -= 1
                plan.write_text(json.dumps(told))
                if told["at"] == 0:
                    plan.unlink()
                    if told["errno"]:
                        raise OSError(told["errno"], os.strerror(told["errno"]))
                    os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)
    return call

for name in ("replace", "fsync"):
    setattr(os, name, counted(name, getattr(os, name)))
"""


def install(folder: Path) -> None:
    """Let the workspace's stages obey a plan in .run/fault.json."""
    (folder / "stages/faulty.py").write_text(FAULTY)
    main = folder / "stages/runner/run.py"
    text = main.read_text()
    main.write_text(
        text.replace("import importlib\n", "import importlib\nimport stages.faulty\n", 1)
    )
    study.workspace.commit(folder, "faulty")


class Call(Fault):
    """The k-th call of os.replace or os.fsync in a stage kills it, or fails."""

    def __init__(self, name: str, call: str, number: int = 0, most: int = 12):
        self.name, self.call, self.number, self.most = name, call, number, most

    def before(self, folder: Path, stage: str, rng: random.Random) -> None:
        """Write the plan."""
        plan = {"call": self.call, "at": rng.randint(1, self.most), "errno": self.number}
        (folder / ".run").mkdir(exist_ok=True)
        (folder / ".run/fault.json").write_text(json.dumps(plan))

    def during(self, run: Run, stage: str, seconds: float, rng: random.Random) -> float | None:
        """Wait for it to happen."""
        status = run.wait()
        fired = not (run.folder / ".run/fault.json").exists()
        return run.now() if status and fired else None

    def after(self, folder: Path, run: Run, stage: str) -> list[str]:
        """Check what was said."""
        (folder / ".run/fault.json").unlink(missing_ok=True)
        left = [f"{item.command} goes on" for item in run.left()]
        return left + (told(run, self.number) if self.number else [])


def told(run: Run, number: int) -> list[str]:
    """Return what is wrong with how a stage told of a disk's fault: one line, status 2."""
    if run.wait() == 0:  # it had room enough
        return []
    if "Traceback" in run.text():
        return ["a traceback"]
    reason = os.strerror(number)
    lines = [text for _, text in run.lines if text.startswith("kdprune: ") and reason in text]
    lines = [text for text in lines if "no record kept" not in text]
    if "exited with" not in run.text():  # DVC itself met the fault
        return [] if reason in run.text() else [f"DVC did not say why: {run.text()[-400:]}"]
    if len(lines) != 1 or "exited with 2" not in run.text():
        return [f"no one line: {run.text()[-400:]}"]
    return []


class Full(Fault):
    """A file system that really is full: a tmpfs made smaller under the workspace."""

    name = "disk full (a real tmpfs)"

    def __init__(self, mount: Path):
        self.mount = mount

    def size(self, size: int) -> None:
        """Set the file system's size in bytes."""
        command = ["mount", "-o", f"remount,size={size}", str(self.mount)]
        subprocess.run(command, check=True)

    def before(self, folder: Path, stage: str, rng: random.Random) -> None:
        """Leave room for a part of what the stage writes."""
        used, trains = (
            shutil.disk_usage(self.mount).used,
            "@cifar10-" in stage and "prune" not in stage,
        )
        self.size(used + int(2 ** rng.uniform(13, 20 if trains else 16)))

    def during(self, run: Run, stage: str, seconds: float, rng: random.Random) -> float | None:
        """Wait for the failure."""
        return run.now() if run.wait() else None

    def after(self, folder: Path, run: Run, stage: str) -> list[str]:
        """Make room again."""
        self.size(2**30)
        return [f"{item.command} goes on" for item in run.left()] + told(run, 28)


OUTPUTS = {  # the folders that a stage writes to
    "download": ["data", ".run"],
    "teach": [".run/unfinished", "models/teachers", "results/teach"],
    "distill": [".run/unfinished", "models/students", "results/distill"],
    "prune": [".run/unfinished", "results/prune"],
    "report": ["plots"],
}


class ReadOnly(Fault):
    """One of the folders that the stage writes to, or `folder`, is mounted read-only."""

    name = "read-only folder (a real mount)"

    def __init__(self, folder: str = "", name: str = ""):
        self.folder = folder
        self.name = name or self.name

    def before(self, folder: Path, stage: str, rng: random.Random) -> None:
        """Mount the folder over itself, read-only."""
        self.place = folder / (self.folder or rng.choice(OUTPUTS[stage.partition("@")[0]]))
        self.place.mkdir(parents=True, exist_ok=True)
        for options in (["--bind"], ["-o", "remount,bind,ro"]):
            subprocess.run(["mount", *options, str(self.place), str(self.place)], check=True)

    def during(self, run: Run, stage: str, seconds: float, rng: random.Random) -> float | None:
        """Wait for the failure."""
        return run.now() if run.wait() else None

    def after(self, folder: Path, run: Run, stage: str) -> list[str]:
        """Unmount."""
        subprocess.run(["umount", str(self.place)], check=True)
        return [f"{item.command} goes on" for item in run.left()] + told(run, 30)


@contextlib.contextmanager
def mounted(folder: Path):
    """Yield whether a tmpfs could be mounted on `folder`, which takes root on Linux."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(folder)]
    able = shutil.which("mount") and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield bool(able)
    finally:
        if able:
            subprocess.run(["umount", "-l", str(folder)], check=False)

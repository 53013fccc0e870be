"""A repository of its own, made from this tree, in which the real DVC runs a small study."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from filelock import FileLock

LEFT_OUT = ("models/", "metrics/", "plots/", "studies/", ".run/", ".venv/", "data/cifar")
PROFILE = """# @package _global_
profile: tiny
datasets: [cifar10]
pairs: [resnet10_16/densenet21_12, densenet21_12/resnet10_16]
data: {source: embedded}
teach: {epochs: 1, lr: 0.1}
prune: {levels: [0.0, 0.5], seeds: 2, batchnorm: {images: 128}, finetune: {epochs: 1, views: 1}}
breakpoints: {resamples: 100}
"""

COLLECTING = ["breakpoints", "efficiency", "significance", "summary@cifar10", "report"]
SWEEPS = {
    "cifar10-resnet10_16",
    "cifar10-densenet21_12",
    "cifar10-resnet10_16-densenet21_12-simkd",
    "cifar10-densenet21_12-resnet10_16-simkd",
}
MEASURED = [f"measure@{key}" for key in SWEEPS]
TRAINING = ("teach@", "distill@", "prune@")


def make(folder: Path, profile: str = PROFILE) -> Path:
    """Copy the tree's own files, set the tiny profile, commit."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if not name.startswith(LEFT_OUT) and name != "dvc.lock" and (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    (folder / "conf/profile/tiny.yaml").write_text(profile)
    config = folder / "conf/config.yaml"
    config.write_text(config.read_text().replace("profile: mini", "profile: tiny"))
    python(folder, "conf/compose.py")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "test")  # `dvc exp run` commits
    git(folder, "config", "user.email", "test@localhost")
    commit(folder, "tiny")
    return folder


def reproduced(factory: pytest.TempPathFactory, folder: Path) -> tuple[Path, list[str]]:
    """Copy the tiny study as one `dvc repro` left it; return it and the instances that ran.

    The workers of a test run share that one repro: whoever is first makes it.
    """
    top = factory.getbasetemp()
    shared = (top.parent if "PYTEST_XDIST_WORKER" in os.environ else top) / "reproduced study"
    with FileLock(f"{shared}.lock"):
        told = shared.with_suffix(".json")
        if not told.exists():
            told.write_text(json.dumps(dvc(make(shared), "repro")))
    sockets = shutil.ignore_patterns("*.sock")  # of a warm server
    shutil.copytree(shared, folder, symlinks=True, ignore=sockets)
    return folder, json.loads(told.read_text())


def committed(factory: pytest.TempPathFactory) -> Path:
    """Return a workspace, through a path with spaces, in which the pipeline has run once."""
    made, ran = reproduced(factory, factory.mktemp("pipeline") / "a folder with spaces")
    assert len(ran) == 1 + 2 + 2 + 8 + 1 + 5 + 4
    commit(made, "results")
    return made


def git(folder: Path, *arguments: str) -> None:
    """Run git, as nobody in particular."""
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    """Commit all that there is."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


def environment(folder: Path) -> dict[str, str]:
    """Return variables with which commands are this environment's, and import the workspace."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder)}


def python(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run this interpreter in the workspace, whose own files it imports; fail loudly."""
    command, given = [sys.executable, *arguments], environment(folder) | variables
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def dvc(folder: Path, *arguments: str) -> list[str]:
    """Run DVC; return the stage instances that ran, in order."""
    output = python(folder, "-m", "dvc", *arguments).stdout
    return re.findall(r"Running stage '([^']+)'", output)

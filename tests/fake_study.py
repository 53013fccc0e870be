"""A study under the real DVC whose stages only wait and write: for tests of who runs what, when."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import workspace
import yaml

ONE = workspace.PROFILE.replace(", densenet21_12/resnet10_16]", "]")
TEACHER = "teach@cifar10-resnet10_16"
# Notes that it began; waits while hold/NAME is there; fails as fail/NAME tells; writes its outputs
SCRIPT = """\
name=$1; shift
mkdir -p .run/began
echo . >> ".run/began/$name"
while [ -f "hold/$name" ]; do sleep 0.1; done
if [ -f "fail/$name" ]; then echo "kdprune: $name: is at fault"; exit "$(cat "fail/$name")"; fi
for out in "$@"; do
  case "$out" in
    *.*) mkdir -p "$(dirname "$out")"; echo "$name" > "$out" ;;
    *) mkdir -p "$out"; echo "$name" > "$out/held" ;;
  esac
done
"""
CODE = ("kdprune", "stages", "conf", "docs")


def make(folder: Path) -> Path:
    """Make a workspace of one pair whose stages run the script."""
    workspace.make(folder, ONE)
    described = yaml.safe_load((folder / "dvc.yaml").read_text())
    del described["stages"]["measure"]  # it reads what only the real stages write
    for name, stage in described["stages"].items():
        work = stage.get("do", stage)
        made = [*work.get("outs", []), *work.get("metrics", []), *work.get("plots", [])]
        paths = [next(iter(one)) if isinstance(one, dict) else one for one in made]
        key = f"{name}@${{key}}" if "foreach" in stage else name
        work["cmd"] = " ".join(["sh fake.sh", key, *paths])
        work["deps"] = [one for one in work.get("deps", []) if one.split("/")[0] not in CODE]
    (folder / "dvc.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    (folder / "fake.sh").write_text(SCRIPT)
    (folder / ".gitignore").open("a").write("hold/\nfail/\n")
    workspace.commit(folder, "fake")
    return folder


def copy(pristine: Path, folder: Path) -> Path:
    """Return a fresh copy, with the folders that hold and fail instances."""
    shutil.copytree(pristine, folder, symlinks=True)
    for name in ("hold", "fail"):
        (folder / name).mkdir()
    return folder


def start(folder: Path, *words: str, **variables: str) -> subprocess.Popen:
    """Start `kdprune run` with `words`; both its streams are one pipe."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder), **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "kdprune", "run", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def began(folder: Path) -> dict[str, int]:
    """Return how often each instance has begun."""
    files = (folder / ".run/began").glob("*@*")
    return {file.name: len(file.read_text().splitlines()) for file in files}

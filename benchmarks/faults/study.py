"""The study that faults are injected into: a repository of its own, small enough to be run often.

Its data come from a slow server on loopback, as an archive in the official format.
"""

import contextlib
import dataclasses
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
import data_files  # noqa: E402
import workspace  # noqa: E402
import yaml  # noqa: E402

from kdprune.data.canonical import EMBEDDED  # noqa: E402
from kdprune.sources import embedded  # noqa: E402

PROFILE = """# @package _global_
profile: tiny
datasets: [cifar10]
pairs: [densenet21_12/resnet10_16]
data: {source: authors}
teach: {epochs: 6, lr: 0.1}
distill: {training: {epochs: 6}}
prune:
  levels: [0.0, 0.2, 0.4, 0.6, 0.8, 0.9]
  seeds: 2
  batchnorm: {images: 128}
  finetune: {epochs: 1, views: 1}
breakpoints: {resamples: 100}
"""
IMAGES = {"train": 1000, "test": 200}
ARCHIVE = "cifar-10-binary.tar.gz"
RESULTS = ("dvc.lock", "data/cifar10", "models", "results", "metrics", "plots")
VARIES = (  # what an undisturbed run would not repeat
    "plots/live/",  # curves of trainings that have not ended
    "metrics/measure.csv",
    "plots/deployment.",
)
STAGES = {  # a stage of each kind
    "download": "download@cifar10",
    "teach": "teach@cifar10-densenet21_12",
    "distill": "distill@cifar10-densenet21_12-resnet10_16-simkd",
    "prune": "prune@cifar10-densenet21_12-resnet10_16-simkd-channel",
    "report": "report",
}


def images() -> dict:
    """Return the splits: some of the embedded images, all classes alike."""
    with contextlib.chdir(ROOT):
        splits = embedded.fetch(EMBEDDED, path=None, cache=ROOT, show=False)
    chosen = {}
    for split, (pixels, labels) in splits.items():
        step = len(labels) // IMAGES[split]
        chosen[split] = (pixels[::step], labels[::step])
    return chosen


def make(folder: Path, archive: bytes, splits: dict) -> Path:
    """Make the repository; its pins are those of the small data set."""
    workspace.make(folder, PROFILE)
    checksum = "md5:" + hashlib.md5(archive).hexdigest()
    spec = data_files.described("cifar10", splits, {ARCHIVE: checksum})
    pins = folder / "kdprune/data/canonical.py"
    pins.write_text(f'{pins.read_text()}\n\nDATASETS["cifar10"] = {spec!r}\n')
    workspace.commit(folder, "small data")
    return folder


def forget(folder: Path, stage: str) -> None:
    """Take the workspace back to before `stage`: no outputs, no entry in dvc.lock, no run cache."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    entry = lock["stages"].pop(stage, {})
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    for out in entry.get("outs", []):
        path = folder / out["path"]
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for left in (".dvc/cache/runs", ".run/unfinished", ".run/downloads"):
        shutil.rmtree(folder / left, ignore_errors=True)
    workspace.git(folder, "add", "-A")
    workspace.git(folder, "commit", "-q", "--allow-empty", "-m", f"before {stage}")


def results(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every result; dvc.lock's is that of what it says, in any order."""
    found = {}
    for name in RESULTS:
        path = folder / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            relative = file.relative_to(folder).as_posix()
            if file.is_file() and not relative.startswith(VARIES):
                content = file.read_bytes()
                if name == "dvc.lock":
                    content = yaml.safe_dump(yaml.safe_load(content), sort_keys=True).encode()
                found[relative] = hashlib.sha256(content).hexdigest()
    return found


@dataclasses.dataclass
class Process:
    """A process in the workspace."""

    pid: int
    parent: int
    command: str


def processes(folder: Path) -> list[Process]:
    """Return the living processes whose working folder is the workspace."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and Path(os.readlink(entry / "cwd")) == folder:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if state != "Z":
                    found.append(Process(int(entry.name), int(parent), command.strip()))
        except OSError:  # it has ended meanwhile
            continue
    return found


def roles(folder: Path) -> dict[str, int]:
    """Return process ids by role: stage (dvc's child), server, child (the server's)."""
    found, named = {}, processes(folder)
    servers = [item for item in named if item.command.endswith("-m stages.runner.server")]
    ids = {item.pid for item in servers}
    for item in servers:
        found["child" if item.parent in ids else "server"] = item.pid
    for item in named:
        if "-m stages " in item.command and item.command.split(" -m ")[0].endswith("python"):
            found["stage"] = item.pid
    return found


def writers(folder: Path) -> list[Process]:
    """Return the processes that may still write: all but a server without a child, which waits."""
    named = processes(folder)
    servers = {item.pid for item in named if item.command.endswith("-m stages.runner.server")}
    busy = {item.parent for item in named}
    return [item for item in named if item.pid not in servers - busy]


def environment(url: str) -> dict[str, str]:
    """Return the variables of a run: this interpreter first, one thread, the mirror."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KDPRUNE_")}
    return kept | {"PATH": path, "OMP_NUM_THREADS": "1", "KDPRUNE_CIFAR_URL": url}


def start(folder: Path, url: str, *targets: str) -> subprocess.Popen:
    """Start `dvc repro` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", *targets],
        cwd=folder,
        env=environment(url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(folder: Path) -> None:
    """End what is left of the workspace's processes: a server that waits for stages."""
    for item in processes(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(item.pid, signal.SIGKILL)

"""python benchmarks/gpu WORK: what only a GPU can show, within minutes, on one card, without DVC.

In order: the GPU tests; a captured step against an eager and a bare one (steps.py); then the
trainings and sweeps of every study WORK/NAME/params.yaml, several at once (instances.py). All that
is handed back lies in --out: logs, and what the studies made, packed. A study whose folder models
is a link to another's prunes that one's networks. Without a GPU it runs on the CPU, at the studies'
size.
"""

import argparse
import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import instances  # noqa: E402

SERVICE = "nvidia-cuda-mps-control"
CHECKS = {
    "tests": ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_gpu.py"],
    "steps": ["benchmarks/gpu/steps.py"],
}


def checked(name: str, out: Path, seconds: float) -> None:
    """Run one check; write what it prints to out/NAME.log, and its last line here."""
    start = time.monotonic()
    with (out / f"{name}.log").open("wb") as log:
        command = [sys.executable, *CHECKS[name]]
        try:
            status = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, timeout=seconds)
            ended = f"exit status {status.returncode}"
        except subprocess.TimeoutExpired:
            ended = "stopped: its time was over"
    told = (out / f"{name}.log").read_text(errors="replace").strip().splitlines()
    last = told[-1] if told else "no output"
    print(f"{name}: {ended} after {time.monotonic() - start:.0f} s: {last}", flush=True)


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Let processes share the card at the same moment, where NVIDIA's service for it is there.

    Without it the driver gives the card to one at a time, however little of it that one uses.
    """
    started = shutil.which(SERVICE) and not subprocess.run([SERVICE, "-d"]).returncode
    try:
        yield
    finally:
        if started:
            subprocess.run([SERVICE], input=b"quit\n")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="benchmarks/gpu", description=__doc__)
    parser.add_argument("work", type=Path, help="folder of studies: NAME/params.yaml")
    parser.add_argument("--out", type=Path, default=Path("build/gpu"), help="what is handed back")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with cifar10/")
    parser.add_argument("--studies", nargs="*", help="which, and in which order; default: all")
    parser.add_argument("--checks", nargs="*", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--jobs", type=int, default=8, help="processes at once on the card")
    parser.add_argument("--minutes", type=float, default=9.0, help="when to stop, at the latest")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.checks:
        checked(name, options.out, max(1.0, end - time.monotonic()))
    names = options.studies
    if names is None:
        names = sorted(file.parent.name for file in options.work.glob("*/params.yaml"))
    folders = [instances.prepared(options.work / name, options.data) for name in names]
    with shared():
        instances.run(folders, jobs=options.jobs, end=end, out=options.out)


if __name__ == "__main__":
    main()

"""Runs the trainings and sweeps of several studies side by side on one card, until a deadline.

`kdprune run` does this with DVC. Here DVC need not be installed: each instance is the command that
dvc.yaml gives, begun when the networks that it reads are there. What is made goes into archives at
once, for a card may be taken back at any time.
"""

import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # where a card is lent, kdprune may not be installed

from kdprune.records import teacher  # noqa: E402

CODE = ("kdprune", "stages", "conf", "dvc.yaml", "pyproject.toml")
NETWORKS = Path("models")
MADE = ("results", ".run/log")
LARGEST = 12 << 20  # bytes of networks in one archive


class Instance(NamedTuple):
    """A command of the grid, in the folder of its study."""

    study: Path
    stage: str
    key: str
    needs: tuple[str, ...]  # files, within the study's folder
    gives: str


class Running(NamedTuple):
    """An instance at work."""

    instance: Instance
    process: subprocess.Popen
    since: float


def prepared(study: Path, data: Path) -> Path:
    """Make the folder of `study` one in which stages run; return it.

    Its code is linked from this clone, its images from `data`; networks that lie in it stay.
    """
    for name in CODE:
        if not (study / name).exists():
            (study / name).symlink_to(ROOT / name)
    for folder in data.glob("cifar*"):
        copy = study / "data" / folder.name
        copy.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            if not (copy / file.name).exists():
                os.link(file, copy / file.name)
    return study


def listed(study: Path) -> Iterator[Instance]:
    """Yield the instances of a study that train and sweep, in an order in which they can run.

    A study whose folder models is a link to another's sweeps that one's networks, and trains none.
    """
    grid = yaml.safe_load((study / "params.yaml").read_text(encoding="utf-8"))["grid"]
    if not (study / NETWORKS).is_symlink():
        yield from trainings(study, grid)
    for key, item in grid["sweeps"].items():
        needs = (item["checkpoint"], item["tutor"])
        yield Instance(study, "prune", key, needs, f"results/prune/{key}/sweep.csv")


def trainings(study: Path, grid: dict) -> Iterator[Instance]:
    """Yield the instances that train: teachers, then students."""
    for key in grid["teachers"]:
        yield Instance(study, "teach", key, (), f"{NETWORKS}/teachers/{key}.safetensors")
    for key, item in grid["students"].items():
        needs = f"{NETWORKS}/teachers/{teacher(item)}.safetensors"
        yield Instance(study, "distill", key, (needs,), f"{NETWORKS}/students/{key}.safetensors")


def run(studies: list[Path], *, jobs: int, end: float, out: Path) -> int:
    """Run what is not there yet, `jobs` at once, until all is done or `end` (monotonic) has come.

    Returns how many are not done. A failed instance is told of and not begun again.
    """
    all_of = [item for study in studies for item in listed(study)]
    waiting = [item for item in all_of if not (item.study / item.gives).exists()]
    running: list[Running] = []
    while (waiting or running) and time.monotonic() < end:
        for item in ready(waiting)[: jobs - len(running)]:
            waiting.remove(item)
            running.append(begun(item, out))
        for job in [job for job in running if job.process.poll() is not None]:
            running.remove(job)
            told(job)
            pack(studies, out)
            keep(job.instance, out)
        if not running and not ready(waiting):
            break  # what is left waits for what has failed
        time.sleep(0.1)
    for job in running:
        os.killpg(job.process.pid, signal.SIGTERM)
        job.process.wait()
    pack(studies, out)
    left = sum(not (item.study / item.gives).exists() for item in all_of)
    print(f"{len(all_of) - left} of {len(all_of)} instances are done", flush=True)
    return left


def ready(waiting: list[Instance]) -> list[Instance]:
    """Return those that have what they read, trainings first: others wait for them."""
    there = [item for item in waiting if all((item.study / need).exists() for need in item.needs)]
    return sorted(there, key=lambda item: item.stage == "prune")


def begun(item: Instance, out: Path) -> Running:
    """Begin an instance in a session of its own; its output goes to one log of its study."""
    with (out / f"{item.study.name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stages", item.stage, item.key],
            cwd=item.study,
            env={**os.environ, "PYTHONPATH": f".{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return Running(item, process, time.monotonic())


def told(job: Running) -> None:
    """Print how an instance ended."""
    ended = "done" if job.process.returncode == 0 else f"exit status {job.process.returncode}"
    seconds = time.monotonic() - job.since
    item = job.instance
    print(f"{item.study.name} {item.stage}@{item.key}: {ended}, {seconds:.1f} s", flush=True)


def pack(studies: list[Path], out: Path) -> None:
    """Write what the studies told to out/made.tar.gz: all but networks."""
    temporary = out / "made.tmp"
    with tarfile.open(temporary, "w:gz", compresslevel=4) as archive:
        for folder in (study / name for study in studies for name in MADE):
            if folder.exists():
                archive.add(folder, arcname=str(folder.relative_to(folder.parents[1])))
    temporary.replace(out / "made.tar.gz")


def keep(item: Instance, out: Path) -> None:
    """Add the network that an instance trained to the last of out/networks-N.tar, or to a new one.

    An archive that is full is not touched again.
    """
    file = item.study / item.gives
    if item.stage == "prune" or not file.exists():
        return
    archives = sorted(out.glob("networks-*.tar"), key=lambda path: int(path.stem.split("-")[1]))
    full = not archives or archives[-1].stat().st_size + file.stat().st_size > LARGEST
    place = out / f"networks-{len(archives)}.tar" if full else archives[-1]
    with tarfile.open(place, "a") as archive:
        archive.add(file, arcname=f"{item.study.name}/{item.gives}")

"""Check that the committed results are what the tree says they are: python -m stages.runner.verify.

Questions, a line each: does params.yaml follow from conf/, is dvc.lock current, do the figures and
pages follow from the tables, and do the numbers of each frozen study in studies/. Needs neither a
GPU nor DVC's cache; exit status 1 where something differs.
"""

import contextlib
import importlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kdprune.config.params import load
from kdprune.config.yaml_reading import check_merged
from kdprune.ending import ended
from kdprune.errors import KdpruneError
from kdprune.study import networks, rows
from kdprune.study.paths import ATTRIBUTION, CODINGS, LOCK, MEASURE, TRAJECTORIES
from stages.runner import lockfile, studies

# What follows from tables, on any machine
DERIVED = ("breakpoints", "efficiency", "variance", "significance", "summary", "report")
TABLES = ("metrics/teach", "metrics/distill", "metrics/sweeps", "metrics/layers", "plots/learning")
LATER = (CODINGS, TRAJECTORIES, ATTRIBUTION)


def composition() -> tuple[str, list[str]]:
    """Hold params.yaml against the composition of conf/."""
    with tempfile.TemporaryDirectory() as name:
        composed = Path(name) / "params.yaml"
        command = [sys.executable, "conf/compose.py", "-o", str(composed)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return "", [f"conf/: {done.stderr.strip() or done.stdout.strip()}"]
        load()
        ours, made = (lockfile.flat(lockfile.read(str(path))) for path in ("params.yaml", composed))
    names = sorted(name for name in ours.keys() | made.keys() if ours.get(name) != made.get(name))
    told = [f"{name}: {ours.get(name)}, conf/ has {made.get(name)}" for name in names]
    told = [line for line in told if not line.startswith(("grid.", "trainings."))] or told
    if not told:
        return "params.yaml follows from conf/", []
    more = f"; and {len(told) - 5} more" if len(told) > 5 else ""
    return f"params.yaml is an experiment's, not conf/'s: {'; '.join(told[:5])}{more}", []


def lock() -> tuple[str, list[str]]:
    """Hold dvc.lock against dvc.yaml, params.yaml and the files."""
    check_merged(LOCK.read_bytes(), LOCK)
    told, compared, missing = lockfile.differences()
    fine = f"dvc.lock is current: {compared} files and folders have their hash"
    if missing:
        fine += f"; {len(missing)} are not here (dvc pull brings them)"
    return fine, told


def derivation() -> tuple[str, list[str]]:
    """Compute again what follows from the tables, elsewhere, and compare byte for byte."""
    load()  # before its errors could be those of a stage
    params = Path("params.yaml").read_bytes()
    files, told = _derived(Path(), params, DERIVED)
    told += _not_measured(Path(), params)
    return f"{files} figures, metrics and pages follow from the tables, byte for byte", told


def study(name: str) -> tuple[str, list[str]]:
    """Hold a frozen study against its dvc.lock, and compute its numbers again."""
    folder = studies.STUDIES / name
    told = list(studies.torn(folder))
    content = studies.completed(folder)
    files, differ = _derived(folder, content, [stage for stage in DERIVED if stage != "report"])
    return (
        f"{folder}: {files} files of numbers follow from its sweeps, byte for byte",
        told + differ + _not_measured(folder, content),
    )


def _not_measured(folder: Path, params: bytes) -> list[str]:
    """Return a line where metrics/measure.csv is of other networks than the grid's.

    DVC does not hold this table: each network's measuring writes its own rows, on any machine. So
    one of another study may lie there, as after a checkout, and the report would show it.
    """
    path, wanted = folder / MEASURE, set(lockfile.parse(params)["grid"].get("networks", ()))
    held = {networks.key(row) for row in rows.read(path)} if path.is_file() else set()
    if not held or not wanted or held == wanted:
        return []
    one = (sorted(held - wanted) or sorted(wanted - held))[0]
    how = "is not among the study's networks" if one in held else "was not measured"
    return [f"{path}: {one} {how}; remove it, and run `dvc repro -f -s measure`"]


def _derived(folder: Path, params: bytes, stages: Sequence[str]) -> tuple[int, list[str]]:
    """Run some stages on a study's tables; return how many files they write, and what differs."""
    described = lockfile.stages(lockfile.parse(params))
    names = [name for name in described if name.partition("@")[0] in stages]
    files = [path for name in names for path in described[name]["outs"]]
    told = []
    with _elsewhere(folder, params) as (here, there):
        for name in sorted(names, key=lambda name: stages.index(name.partition("@")[0])):
            stage, _, key = name.partition("@")
            try:
                importlib.import_module(f"stages.{stage}").main(*filter(None, [key]))
            except KdpruneError as error:
                return len(files), [f"{name}: {error}"]
        for path in files:
            told += _compare(here / path, there / path, str(folder / path))
    return len(files), told


@contextlib.contextmanager
def _elsewhere(folder: Path, params: bytes) -> Iterator[tuple[Path, Path]]:
    """Work in a folder that has the parameters and the raw tables only; yield both folders."""
    back, here = Path.cwd(), folder.resolve()
    with tempfile.TemporaryDirectory() as name:
        there = Path(name)
        (there / "params.yaml").write_bytes(params)
        for table in TABLES:
            if (here / table).is_dir():
                shutil.copytree(here / table, there / table)
            else:  # git keeps no empty folder: of students, where teachers alone are studied
                (there / table).mkdir(parents=True)
        for later in LATER:
            if (here / later).is_file():  # not so in a study from before there was such a table
                shutil.copy(here / later, there / later)
        os.chdir(there)
        try:
            yield here, there
        finally:
            os.chdir(back)


def _compare(ours: Path, made: Path, name: str = "") -> list[str]:
    """Return how a committed file differs from one just made: its first line that does."""
    name = name or str(ours)
    if not ours.exists():
        return [f"{name}: is not there"]
    committed, expected = ours.read_bytes(), made.read_bytes()
    if committed == expected:
        return []
    pairs = zip(committed.splitlines(), expected.splitlines(), strict=False)
    for number, lines in enumerate(pairs, 1):
        if lines[0] != lines[1]:
            same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(*lines, strict=False))
            at = len(list(same))
            part = slice(max(0, at - 20), at + 20)
            ours_is, made_is = (line[part].decode(errors="replace") for line in lines)
            return [f"{name}: line {number} has …{ours_is}…, and should have …{made_is}…"]
    return [f"{name}: has {len(committed)} bytes, and should have {len(expected)}"]


def _of(name: str) -> Callable[[], tuple[str, list[str]]]:
    def question() -> tuple[str, list[str]]:
        return study(name)

    question.__name__ = f"studies/{name}"
    return question


def main() -> int:
    """Print a line per question; return the exit status."""
    status = 0
    for question in (composition, lock, derivation, *map(_of, studies.names())):
        try:
            fine, told = question()
        except KdpruneError as error:
            fine, told = "", [str(error)]
        except (OSError, KeyError, TypeError, ValueError) as error:
            fine, told = "", [f"{question.__name__}: cannot be checked ({error!r})"]
        for line in told or [fine]:
            print(f"{'DIFFERS' if told else 'OK     '} {line}", flush=True)
        status |= bool(told)
    return int(status)


if __name__ == "__main__":
    sys.exit(ended(main))

"""How far the whole study is: which of its instances are still to run, and how long they may take.

What is to run is told by dvc.lock, parameters and code, without the hash of a data set or a
network: a guess, for people who wait. It changes nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kdprune.planning.rehearsal import operations
from kdprune.running.study import timed
from stages.runner import lockfile
from stages.runner.stages import GRID

CODE = ("kdprune", "stages")
LOCK = Path("dvc.lock")
DOWNLOAD = 10.0  # seconds, where none was timed: nobody knows a line's speed


def left(values: Mapping[str, Any], finished: str = "") -> tuple[list[str], int]:
    """Return the instances that are to run, such as teach@KEY, in order, and how many there are.

    `finished` has just ended: it is in no dvc.lock yet, and what reads it is to run.
    """
    described = lockfile.stages(values)
    names = [name for name in described if name.partition("@")[0] in GRID and "@" in name]
    locked = lockfile.entries(str(LOCK)) if LOCK.is_file() else {}
    makers = {path: name for name in names for path in described[name]["outs"]}
    hashes: dict[str, str | None] = {}
    changed: dict[str, bool] = {}  # in the order of dvc.yaml, where makers stand first
    for name in names:
        changed[name] = _is_stale(described[name], locked.get(name), values, hashes) or any(
            changed.get(makers.get(path, ""), False)
            or _is_another(path, locked.get(name), locked.get(makers.get(path, "")))
            for path in described[name]["deps"]
        )
    return [name for name in names if changed[name] and name != finished], len(names)


def seconds(names: Sequence[str], folder: Path, every: Sequence[str] = ()) -> float | None:
    """Return about how long `names` take, one after the other; None while that cannot be told.

    An instance takes as long as its own last whole run in `folder`; else what its operations
    (`kdprune plan`) take at the pace of its kind, or of all; else as long as others of its kind.
    `every` are the study's instances, whose records tell the pace.
    """
    known = {name: timed(name, folder) for name in dict.fromkeys([*names, *every])}
    works = operations()
    total = 0.0
    for name in names:
        kind = name.partition("@")[0]
        alike = {one: taken for one, taken in known.items() if taken and _kind(one) == kind}
        timed_too = {one: taken for one, taken in known.items() if taken and works.get(one)}
        pace = _pace({one: t for one, t in timed_too.items() if one in alike}, works)
        pace = pace or _pace(timed_too, works)
        if taken := known[name]:
            total += taken
        elif pace and name in works:
            total += pace * works[name]
        elif alike:
            total += sum(alike.values()) / len(alike)
        elif kind == "download":
            total += DOWNLOAD
        elif kind != "compress":  # it takes a moment beside the others
            return None
    return total


def _kind(name: str) -> str:
    return name.partition("@")[0]


def _pace(taken: Mapping[str, float], works: Mapping[str, float]) -> float | None:
    """Return seconds an operation; None without a timed one."""
    work = sum(works[name] for name in taken)
    return sum(taken.values()) / work if work else None


def _is_stale(
    stage: Mapping[str, Any],
    entry: Mapping[str, Any] | None,
    values: Mapping[str, Any],
    hashes: dict[str, str | None],
) -> bool:
    """Say whether parameters, code or command are others than dvc.lock has, or an output lacks."""
    if entry is None or stage["cmd"] != entry.get("cmd"):
        return True
    recorded = entry.get("params", {}).get("params.yaml", {})
    if any(lockfile.at(values, name) != recorded.get(name) for name in stage["params"]):
        return True
    deps = {item["path"]: item.get("md5") for item in entry.get("deps", [])}
    if deps.keys() != stage["deps"].keys():
        return True
    for path in (path for path in deps if path.split("/")[0] in CODE):
        if path not in hashes:
            hashes[path] = lockfile.md5(Path(path))
        if hashes[path] != deps[path]:
            return True
    return not all(Path(path).exists() for path in stage["outs"])


def _is_another(
    path: str, entry: Mapping[str, Any] | None, maker: Mapping[str, Any] | None
) -> bool:
    """Say whether `path` was read as another than the one that its maker's record names."""
    read = {item["path"]: item.get("md5") for item in (entry or {}).get("deps", [])}
    made = {item["path"]: item.get("md5") for item in (maker or {}).get("outs", [])}
    return path in made and read.get(path) != made[path]

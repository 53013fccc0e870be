"""Holds dvc.lock against the tree: what `dvc status` says, without DVC's cache or its data."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kdprune.config import nesting
from kdprune.errors import KdpruneError

EMPTY = hashlib.md5(b"[]").hexdigest() + ".dir"  # DVC's hash of an empty folder
FIELD = re.compile(r"\$\{(item|key|grid)((?:\.\w+)*)\}")


def differences() -> tuple[list[str], int, list[str]]:
    """Compare dvc.yaml, params.yaml and the files with dvc.lock.

    Returns what differs, how many files and folders were compared, and which are not here: outputs
    that only DVC's cache holds.
    """
    values = read("params.yaml")
    described, locked = stages(values), entries("dvc.lock")
    told = [f"{name}: is not in dvc.lock" for name in described if name not in locked]
    compared, missing = set(), set()
    for name in (name for name in described if name in locked):
        stage, entry = described[name], locked[name]
        if stage["cmd"] != entry.get("cmd"):
            told.append(f"{name}: its command is another")
        told += [f"{name}: {problem}" for problem in _parameters(stage, entry, values)]
        for kind in ("deps", "outs"):
            recorded = {item["path"]: item for item in entry.get(kind, [])}
            for path in sorted(stage[kind].keys() ^ recorded.keys()):
                where = "dvc.lock" if path in stage[kind] else "dvc.yaml"
                told.append(f"{name}: {path} is not among the {kind} of {where}")
            for path in stage[kind].keys() & recorded.keys():
                digest = found(Path(path), recorded[path]["md5"])
                if digest is None and (stage[kind][path] or (kind == "deps" and _cached(path))):
                    missing.add(path)
                    continue
                compared.add(path)
                if digest != recorded[path]["md5"]:
                    how = "is not there" if digest is None else "is not what dvc.lock recorded"
                    told.append(f"{path}: {how} ({name})")
    return list(dict.fromkeys(told)), len(compared), sorted(missing)


def stages(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return dvc.yaml's stages, one per instance: cmd, params, deps and outs {path: cached}."""
    described = {}
    for name, stage in read("dvc.yaml")["stages"].items():
        if "foreach" not in stage:
            described[name] = _instance(stage, values)
            continue
        for key, item in _items(stage, values).items():
            described[f"{name}@{key}"] = _instance(stage["do"], {"key": key, "item": item})
    return described


def instance(name: str, key: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of them; raises LookupError where there is none."""
    stage = read("dvc.yaml")["stages"][name]
    if "foreach" not in stage:
        return _instance(stage, values)
    return _instance(stage["do"], {"key": key, "item": _items(stage, values)[key]})


def found(path: Path, recorded: str) -> str | None:
    """Return the hash of a path; of an empty folder that was recorded, also where git kept none."""
    digest = md5(path)
    return EMPTY if digest is None and recorded == EMPTY else digest


def md5(path: Path) -> str | None:
    """Return the hash that DVC gives a file or a folder, None where there is none."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    if not path.is_dir():
        return None
    files = [item for item in path.rglob("*") if item.is_file() and not ignored(item)]
    parts = sorted(item.relative_to(path).parts for item in files)
    listed = [{"md5": md5(path.joinpath(*part)), "relpath": "/".join(part)} for part in parts]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode()).hexdigest() + ".dir"


def _items(stage: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    over = at(values, stage["foreach"].removeprefix("${").removesuffix("}"))
    # none: a study from before the stage
    return over if isinstance(over, Mapping) else {item: item for item in over or []}


def _instance(stage: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    def fill(text: str) -> str:
        return FIELD.sub(lambda field: str(at(names, field[1] + field[2])), text)

    cmd = stage["cmd"]  # one, or several in a row
    outs = [*stage.get("outs", []), *stage.get("metrics", [])]
    flat = [item if isinstance(item, dict) else {item: {}} for item in outs]
    return {
        "cmd": fill(cmd) if isinstance(cmd, str) else [fill(line) for line in cmd],
        "params": {fill(name) for name in stage.get("params", [])},
        "deps": dict.fromkeys((_written(fill(dep)) for dep in stage.get("deps", [])), False),
        "outs": {fill(k): v.get("cache", True) for item in flat for k, v in item.items()},
    }


def _written(path: str) -> str:
    """Return a path as DVC writes it: without a trailing slash, relative within the project."""
    normal = os.path.normpath(path)
    here = os.path.relpath(normal, os.getcwd())
    return normal if not os.path.isabs(normal) or here.startswith("..") else Path(here).as_posix()


def _parameters(
    stage: Mapping[str, Any], entry: Mapping[str, Any], values: Mapping[str, Any]
) -> list[str]:
    recorded = entry.get("params", {}).get("params.yaml", {})
    told = [f"parameter {name} is not in both" for name in stage["params"] ^ recorded.keys()]
    for name in sorted(stage["params"] & recorded.keys()):
        if at(values, name) != recorded[name]:
            told.append(f"parameter {name} has changed")
    return sorted(told)


def _cached(path: str) -> bool:
    """Say whether a dependency is one that git ignores: data, networks and results."""
    return path.startswith(("data/", "models/", "results/")) and path != "data/embedded"


def ignored(path: Path) -> bool:
    """Say whether DVC passes over a file."""
    return any(fnmatch(part, pattern) for part in path.parts for pattern in _patterns(Path.cwd()))


@cache
def _patterns(folder: Path) -> tuple[str, ...]:
    file = folder / ".dvcignore"
    return tuple(file.read_text().split()) if file.exists() else ()


def at(values: Mapping[str, Any], dotted: str) -> Any:
    """Return the value at `dotted`, None where there is none."""
    held: Any = values
    for name in dotted.split("."):
        held = held[name] if isinstance(held, Mapping) and name in held else None
    return held


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {dotted name: value}."""
    items: dict[str, Any] = {}
    for name, value in values.items():
        dotted = f"{prefix}{name}"
        items |= flat(value, f"{dotted}.") if isinstance(value, dict) else {dotted: value}
    return items


def read(path: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping. Raises KdpruneError where it holds none."""
    try:
        held = parse(Path(path).read_bytes())
    except (yaml.YAMLError, ValueError) as error:
        raise KdpruneError(f"{path}: is no YAML of ours: {' '.join(str(error).split())}") from None
    if not isinstance(held, dict):
        raise KdpruneError(f"{path}: holds no mapping; put back what git has")
    return held


def entries(path: str) -> dict[str, Any]:
    """Return the records of a lock file by instance: none where a kill has left it without any.

    Raises KdpruneError where it holds something else.
    """
    held = read(path).get("stages") or {}
    if not isinstance(held, dict) or not all(isinstance(one, dict) for one in held.values()):
        raise KdpruneError(
            f"{path}: holds no record of each stage, as after a kill of DVC; put back what git has "
            "(git restore), or remove it"
        )
    return held


def parse(content: bytes) -> dict[str, Any]:
    """Parse a YAML mapping, its depth and size checked first."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    nesting.check(content)
    return yaml.load(content, Loader=loader) or {}

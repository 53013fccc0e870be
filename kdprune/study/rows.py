"""Reads for `recommend` the tables that the grid names, never what merely lies in a folder."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kdprune.config import params
from kdprune.errors import KdpruneError, nearest
from kdprune.records import network
from kdprune.study import networks, paths

NUMBERS = "seed level params nonzero_params macs val_accuracy test_accuracy".split()
WHOLE = ("seed", "params", "nonzero_params", "macs", "batch")
HIGHEST = {"level": 1.0, "val_accuracy": 100.0, "test_accuracy": 100.0}


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV as text. Raises KdpruneError where it cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # a spreadsheet's mark or none
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise KdpruneError(f"{path}: is not there; run `dvc repro`, which writes it") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KdpruneError(f"{path}: cannot be read ({error})") from None


def number(row: Mapping[str, Any], column: str, path: Path) -> float:
    """Return a column of a row as a number that it can be.

    Raises KdpruneError where it is none, is not finite, or lies outside of what such numbers are.
    """
    held = row.get(column)
    try:
        value = math.nan if isinstance(held, bool) else float(held or "")
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise KdpruneError(
            f"{path}: column {column} is missing or holds no number; run `dvc repro`"
        )
    low, high = 0.0, HIGHEST.get(column, math.inf)
    whole = column in WHOLE and not value.is_integer()
    if not low <= value <= high or whole:
        kind = "whole number" if column in WHOLE else "number"
        within = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of {low:g} or more"
        raise KdpruneError(
            f"{path}: {column} = {value:g}: must be a {kind} {within}; run `dvc repro`"
        )
    return value


def breakpoint_level(project: Path, item: Mapping[str, str], method: str) -> float:
    """Return the level at which a network's curve breaks, from metrics/breakpoints.csv."""
    path = project / "metrics" / "breakpoints.csv"
    wanted = {**item, "method": method}
    for row in read(path):
        if all(row.get(part, "") == value for part, value in wanted.items()):
            return number(row, "level", path)
    raise KdpruneError(
        f"{path}: has no breakpoint of {networks.key(item)} under {method}; name a --level, or add "
        "this sweep to the study and run `dvc repro`"
    )


def swept(
    project: Path, item: Mapping[str, str], method: str, *, level: float, seed: int
) -> dict[str, Any] | None:
    """Return what the sweep recorded of a level and a seed: file, val_accuracy, test_accuracy.

    None where there is no such sweep, or where it has neither this level nor this seed.
    """
    path = project / "metrics" / "sweeps" / f"{networks.key(item)}-{method}.csv"
    if not path.is_file():
        return None
    for row in read(path):
        if number(row, "level", path) == level and number(row, "seed", path) == seed:
            names = ("val_accuracy", "test_accuracy")
            accuracies = {name: number(row, name, path) for name in names}
            return {"file": path.relative_to(project).as_posix(), "seed": seed, **accuracies}
    return None


def trained(project: Path, item: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what the training recorded of a network, as `swept` does of a level."""
    path = project / paths.training(item["role"], networks.key(item))
    if not path.is_file():
        return None
    held = _checkpoint(path)
    accuracies = {name: held[name] for name in ("val_accuracy", "test_accuracy")}
    return {"file": path.relative_to(project).as_posix(), **accuracies}


def sweeps(folder: Path, dataset: str | None) -> tuple[str, list[list[dict[str, Any]]]]:
    """Return the data set, and the rows of each of its sweeps with numbers as numbers.

    `dataset` None stands for the study's only one. Raises KdpruneError where there are several,
    and for sweeps that are missing or damaged.
    """
    grid = params.load(folder / "params.yaml").grid["sweeps"]
    known = list(dict.fromkeys(item["dataset"] for item in grid.values()))
    if dataset is None and len(known) == 1:
        dataset = known[0]
    if dataset is None:
        raise KdpruneError(f"--dataset: the study has several; name one of {', '.join(known)}")
    if dataset not in known:
        raise KdpruneError(f"--dataset {dataset}: is not in the study; {nearest(dataset, known)}")
    chosen = {key: item for key, item in grid.items() if item["dataset"] == dataset}
    return dataset, [_sweep(folder, key, item) for key, item in chosen.items()]


def _sweep(folder: Path, key: str, item: Mapping[str, str]) -> list[dict[str, Any]]:
    path = folder / "metrics" / "sweeps" / f"{key}.csv"
    named = {name: item[name] for name in ("dataset", "role", "method")}
    named["network"] = network(item)
    rows = [{**named, **numbers(row, NUMBERS, path)} for row in read(path)]
    points = [(row["level"], row["seed"]) for row in rows]
    levels, seeds = ({point[part] for point in points} for part in (0, 1))
    if len(set(points)) != len(points) or len(points) != len(levels) * len(seeds):
        raise KdpruneError(f"{path}: not every seed has every level, once each; run `dvc repro`")
    if 0 not in levels:
        raise KdpruneError(f"{path}: has no level 0 to compare with; run `dvc repro`")
    return rows


def checkpoints(folder: Path, dataset: str) -> list[list[dict[str, Any]]]:
    """Return each network as it was trained: a row of level 0 and method "trained".

    Those whose result (metrics/teach, metrics/distill) is not there are left out.
    """
    grid = params.load(folder / "params.yaml").grid
    curves = []
    for part, stage in (("teachers", "teach"), ("students", "distill")):
        for key, item in grid[part].items():
            path = folder / "metrics" / stage / f"{key}.json"
            if item["dataset"] == dataset and path.is_file():
                curves.append([_checkpoint(path)])
    return curves


def _checkpoint(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        identity = {name: result[name] for name in ("dataset", "role")}
        name = network(result)
        trained = [name for name in NUMBERS if name not in ("seed", "level", "nonzero_params")]
        row = numbers(result, trained, path)
        row["nonzero_params"] = row["params"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KdpruneError(f"{path}: is damaged ({error!r}); run `dvc repro`") from None
    return {**row, **identity, "network": name, "method": "trained", "level": 0.0, "seed": 0}


def numbers(row: Mapping[str, Any], names: Sequence[str], path: Path) -> dict[str, float]:
    """Return some columns of a row as numbers; raises as `number` does."""
    return {name: number(row, name, path) for name in names}

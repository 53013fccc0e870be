"""Reads for `recommend` the tables that the grid names, never what merely lies in a folder."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdprune.config import params
from kdprune.errors import KdpruneError, nearest
from kdprune.records import network, require_regular
from kdprune.study import networks, paths
from kdprune.study.numbers import number, numbers

NUMBERS = "seed level params nonzero_params macs val_accuracy test_accuracy".split()


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV as text. Raises KdpruneError where it cannot be read."""
    try:
        require_regular(path)
        with path.open(newline="", encoding="utf-8-sig") as file:  # a spreadsheet's mark or none
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise KdpruneError(f"{path}: is not there; run `dvc repro`, which writes it") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KdpruneError(f"{path}: cannot be read ({error})") from None
    for row in rows:
        if None in row or None in row.values():  # as git leaves a conflict, or a kill a file
            told = ", ".join(str(word) for word in row.values() if word)[:40]
            raise KdpruneError(
                f"{path}: a row has other columns than the head ({told}); run `dvc repro`"
            )
    return rows


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

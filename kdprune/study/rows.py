"""Reads for `recommend` the tables that the grid names, never what merely lies in a folder."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdprune.config import params
from kdprune.errors import KdpruneError, nearest
from kdprune.records import network
from kdprune.study import networks

MOST = float(1 << 53)  # above, a float is no exact count
NUMBERS = "seed level params nonzero_params macs val_accuracy test_accuracy".split()
TRAINED = "params macs val_accuracy test_accuracy".split()  # of a network as it was trained


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV as text. Raises KdpruneError where it cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise KdpruneError(f"{path}: is not there; run `dvc repro`, which writes it") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KdpruneError(f"{path}: cannot be read ({error})") from None


def number(row: Mapping[str, str], column: str, path: Path) -> float:
    """Return a column of a CSV's row as a number.

    Raises KdpruneError where it is none, not finite, or out of the column's range.
    """
    try:
        return _in_range(float(row[column]), column)
    except (KeyError, TypeError, ValueError):
        raise KdpruneError(
            f"{path}: column {column} is missing, or holds no number that belongs there; run "
            "`dvc repro`"
        ) from None


def _in_range(value: Any, column: str) -> float:
    """Return a column's value. Raises ValueError where no result of the study can be that."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{column} is {value!r}")
    most = 1.0 if column == "level" else 100.0 if column.endswith("accuracy") else MOST
    if not 0 <= value <= most:  # so written, it refuses what is no number, too
        raise ValueError(f"{column} is {value!r}")
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
            accuracies = ("val_accuracy", "test_accuracy")
            found = {name: number(row, name, path) for name in accuracies}
            return {"file": path.relative_to(project).as_posix(), "seed": seed, **found}
    return None


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
    found = [{**named, **_numbers(row, NUMBERS, path)} for row in read(path)]
    if not any(row["level"] == 0 for row in found):
        raise KdpruneError(f"{path}: has no level 0 to compare with; run `dvc repro`")
    return found


def checkpoints(folder: Path, dataset: str) -> list[list[dict[str, Any]]]:
    """Return each network as it was trained: a row of level 0 and method "trained".

    Those whose result (metrics/teach, metrics/distill) is not there are left out.
    """
    grid = params.load(folder / "params.yaml").grid
    found = []
    for part, stage in (("teachers", "teach"), ("students", "distill")):
        for key, item in grid[part].items():
            path = folder / "metrics" / stage / f"{key}.json"
            if item["dataset"] == dataset and path.is_file():
                found.append([_checkpoint(path)])
    return found


def _checkpoint(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        row = {name: _in_range(result[name], name) for name in TRAINED}
        identity = {name: result[name] for name in ("dataset", "role")}
        name = network(result)
        row["nonzero_params"] = row["params"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KdpruneError(f"{path}: is damaged ({error!r}); run `dvc repro`") from None
    return {**row, **identity, "network": name, "method": "trained", "level": 0.0, "seed": 0}


def latencies(
    folder: Path, dataset: str, *, batch: int, needed: bool
) -> tuple[dict[tuple[str, str, float], float], str | None]:
    """Return median milliseconds by (network, method, level), and the device that they hold for.

    From metrics/measure.csv; method "none" at level 0. Where a network was measured twice, the
    slower time counts. Raises KdpruneError where the times are `needed` and not there.
    """
    path = folder / "metrics" / "measure.csv"
    if not path.is_file():
        if needed:
            raise KdpruneError(
                f"--max-latency: {path} is not there, for the stage measure has not run; run "
                "`dvc repro --force --single-item measure`, or leave --max-latency out"
            )
        return {}, None
    found: dict[tuple[str, str, float], float] = {}
    batches, devices = set(), {}
    for row in read(path):
        if row.get("dataset") != dataset:
            continue
        numbers = _numbers(row, ("level", "batch", "latency_ms_median"), path)
        batches.add(int(numbers["batch"]))
        if numbers["batch"] == batch:
            level = numbers["level"]
            at = (network(row), row.get("method", "") if level else "none", level)
            found[at] = max(found.get(at, 0.0), numbers["latency_ms_median"])
            devices[row.get("device") or "a device of no name"] = True
    if needed and not found:
        seen = ", ".join(map(str, sorted(batches))) or "none"
        raise KdpruneError(f"--batch {batch}: {path} has no times of {dataset}; batches: {seen}")
    return found, " and ".join(devices) or None


def _numbers(row: Mapping[str, str], names: tuple[str, ...] | list[str], path: Path) -> dict:
    return {name: number(row, name, path) for name in names}

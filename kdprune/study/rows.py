"""Reads for `recommend` the tables that the grid names, never what merely lies in a folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdprune import params
from kdprune.cli import project
from kdprune.errors import KdpruneError
from kdprune.grid import nearest, network

NUMBERS = "seed level params nonzero_params macs val_accuracy test_accuracy".split()


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
    found = [{**named, **_numbers(row, NUMBERS, path)} for row in project.rows(path)]
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
        row = {name: result[name] for name in NUMBERS if name in result}
        identity = {name: result[name] for name in ("dataset", "role")}
        name = network(result)
        row["nonzero_params"] = row["params"]
    except (ValueError, KeyError, TypeError) as error:
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
    for row in project.rows(path):
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
    return {name: project.number(row, name, path) for name in names}

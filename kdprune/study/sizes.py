"""Reads for `recommend` what networks take as files: as they are, and coded."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError, nearest
from kdprune.records import network
from kdprune.study.numbers import number
from kdprune.study.rows import read
from kdprune.study.sampled import classes

NUMBERS = "level params nonzero_params macs bytes val_accuracy test_accuracy".split()

BITS = range(2, 9)  # of shared values, as compress.bits allows
CODINGS = ("float32", "int8", *(f"shared{bits}" for bits in BITS))  # what `export` can write
DEFAULT_CODING = "shared8"
NOTES = 2048  # bytes that a file says of itself at most (seen: 1,209), beside its classes


def stored(folder: Path, dataset: str) -> dict[tuple[str, str, float], float]:
    """Return the bytes of each network's safetensors file at most, by (network, method, level).

    From metrics/measure.csv, so at breakpoints and unpruned alone; method "none" at level 0. Its
    other sizes, of dense files under Zstandard and of sparse ones, are of files that no command
    writes.
    """
    path, sizes = folder / "metrics" / "measure.csv", {}
    notes = NOTES + len(json.dumps(classes(folder, dataset)))
    for row in read(path) if path.is_file() else []:
        if row.get("dataset") == dataset:
            level = number(row, "level", path)
            at = (network(row), row.get("method", "") if level else "none", level)
            sizes[at] = number(row, "dense_bytes", path) + notes
    return sizes


def coded(folder: Path, dataset: str, known: Collection[str]) -> list[list[dict[str, Any]]]:
    """Return each coding of each network as a curve of one row, from metrics/codings.csv.

    A row has what a sweep's has, and `coding` and `bytes` of the file at most. Raises KdpruneError
    for a network that is not among the `known` ones of the sweeps, and a coding that is none.
    """
    path, curves = folder / "metrics" / "codings.csv", []
    notes = NOTES + len(json.dumps(classes(folder, dataset)))
    for row in read(path) if path.is_file() else []:
        if row.get("dataset") == dataset:
            named = {name: row.get(name, "") for name in ("dataset", "role", "method", "coding")}
            numbers = {name: number(row, name, path) for name in NUMBERS}
            numbers["bytes"] += notes
            _check(network(row), named["coding"], known, path)
            curves.append([{**named, **numbers, "network": network(row), "seed": 0}])
    return curves


def _check(name: str, coding: str, known: Collection[str], path: Path) -> None:
    if name not in known:
        raise KdpruneError(
            f"{path}: network {name} has no sweep in the study; {nearest(name, known)}; run "
            "`dvc repro`"
        )
    if coding not in CODINGS:
        raise KdpruneError(
            f"{path}: coding {coding or 'of no name'} is none; allowed: float32, int8, and shared2 "
            "to shared8; run `dvc repro`"
        )


def demand(*known: object) -> None:
    """Raise KdpruneError where no size of any network is known."""
    if not any(known):
        raise KdpruneError(
            "--max-bytes: no network's bytes are known here; run `dvc repro measure`, or have them "
            "coded: `dvc exp run -S 'compress.bits=[8,5,4]'`; or leave --max-bytes out"
        )

"""Numbers in a row of a table or a JSON file, held to what such numbers can be."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError

WHOLE = ("seed", "params", "nonzero_params", "macs", "batch")
HIGHEST = {"level": 1.0, "val_accuracy": 100.0, "test_accuracy": 100.0}


def number(row: Mapping[str, Any], column: str, path: Path) -> float:
    """Return a column of a row as a number that it can be.

    Raises KdpruneError where it is none, is not finite, or lies outside of what such numbers are.
    """
    held = row.get(column)
    try:
        value = math.nan if isinstance(held, bool) else float(held or "")
    except (TypeError, ValueError, OverflowError):
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


def numbers(row: Mapping[str, Any], names: Sequence[str], path: Path) -> dict[str, float]:
    """Return some columns of a row as numbers; raises as `number` does."""
    return {name: number(row, name, path) for name in names}

"""Accuracy by the parameters that an image reaches: dead weights count for no pruning.

A kernel's tap that only ever meets zero padding holds weights that change no output. Weight pruning
may drop them for nothing, and channel pruning must keep them: where both count them, the former
leads by what no network needed.
"""

from typing import Any

import pandas as pd

from kdprune.analysis.efficiency import UNIT
from kdprune.analysis.replicates import averaged
from kdprune.analysis.significance import compare
from kdprune.records import identity

COUNT = "reached parameters"


def reached(breakpoints: pd.DataFrame, layers: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return what each network has at its breakpoint that an image reaches: a row per curve.

    `layers` is the table metrics/layers of all sweeps. Columns: those that name a curve, params,
    accuracy (test), and efficiency, accuracy per 1e7 of them. Biases and batch norm are reached.
    None where the table is from before dead weights were told apart, and where none is dead.
    """
    if layers is None or "reached_params" not in layers:
        return None
    told = layers.dropna(subset="reached_params")
    if (told.reached_params == told.nonzero_params).all():
        return None
    at = [*identity(breakpoints), "method", "level"]
    told = told.assign(dead=told.nonzero_params - told.reached_params)
    dead = told.groupby(at, sort=False).dead.sum().reset_index()
    table = breakpoints[[*at, "nonzero_params", "test_accuracy"]].merge(dead, on=at)
    table = table.assign(params=table.nonzero_params - table.dead, accuracy=table.test_accuracy)
    table["efficiency"] = table.accuracy / (table.params / UNIT)
    return table[[*identity(table), "method", "params", "accuracy", "efficiency"]]


def ratio(table: pd.DataFrame, first: str, second: str, *, confidence: float) -> dict[str, Any]:
    """Compare the efficiencies of two methods over the pairs of `table`, as `compare` does."""
    wide = averaged(table).pivot_table("efficiency", ["teacher", "student"], "method", sort=False)
    both = wide.reindex(columns=[first, second]).dropna()
    return compare(both[first], both[second], confidence=confidence)

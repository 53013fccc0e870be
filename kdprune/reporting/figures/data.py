"""The tables behind `dvc plots`: one row per mark, few columns, rounded."""

from collections.abc import Mapping

import pandas as pd

from kdprune.analysis.replicates import apart
from kdprune.records import IDENTITY
from kdprune.reporting.figures.frames import removed_at_breakpoints, with_network_names


def tables(
    results: Mapping[str, pd.DataFrame], layers: pd.DataFrame, curves: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Return all tables by the name of their file. `curves`: a training's learning curve by key."""
    curves_of, broken, scored, held = map(
        apart, (results["sweeps"], results["breakpoints"], results["efficiency"], layers)
    )
    return {
        "accuracy": accuracy(curves_of, broken),
        "efficiency": efficiency(scored),
        "layers": sparsity(held, broken),
        "learning": learning(curves),
    }


def accuracy(sweeps: pd.DataFrame, breakpoints: pd.DataFrame) -> pd.DataFrame:
    """Return test accuracy (percent) per seed and level; `breakpoint` is 1 where the curve breaks.

    `remaining`: parameters that are left, in percent of the unpruned network's.
    """
    marks = breakpoints[[*IDENTITY, "method", "level"]].assign(breakpoint=1)
    table = sweeps.merge(marks, on=[*IDENTITY, "method", "level"], how="left")
    table = with_network_names(table).fillna({"breakpoint": 0}).astype({"breakpoint": int})
    whole = table.groupby([*IDENTITY, "method"]).nonzero_params.transform("max")
    table["remaining"] = (100 * table.nonzero_params / whole).round(1)
    table["test_accuracy"] = table.test_accuracy.round(2)
    names = ["dataset", "network", "method", "seed", "remaining", "test_accuracy", "breakpoint"]
    return table[names]


def efficiency(scored: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network and condition: efficiency in percent per 1e7 parameters."""
    table = with_network_names(scored)
    table["efficiency"] = table.efficiency.round(2)
    return table[["dataset", "role", "network", "condition", "efficiency"]]


def learning(curves: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return all learning curves, each named, as one table."""
    named = [curve.assign(network=name) for name, curve in curves.items()]
    table = pd.concat(named, ignore_index=True).round({"train_loss": 4, "val_accuracy": 2})
    return table[["network", "epoch", "train_loss", "val_accuracy"]]


def sparsity(layers: pd.DataFrame, breakpoints: pd.DataFrame) -> pd.DataFrame:
    """Return what each layer lost at the breakpoint, in percent, by depth from the input."""
    at = removed_at_breakpoints(layers, breakpoints).round({"removed": 1})
    return at[["dataset", "network", "method", "depth", "layer", "removed"]]

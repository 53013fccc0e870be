"""Reads the tables that the grid names, never what merely lies in a folder."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from kdprune.files import read_json
from kdprune.params import Params
from stages import paths

IDENTITY = ["dataset", "role", "teacher", "student", "distill"]


def read(path: Any) -> pd.DataFrame:
    """Read one CSV; an empty identity column is the empty string, not a missing value."""
    frame = pd.read_csv(path)
    present = [name for name in [*IDENTITY, "method"] if name in frame]
    return frame.fillna(dict.fromkeys(present, ""))


def sweeps(params: Params) -> pd.DataFrame:
    """Return all sweeps of the grid as one table."""
    return pd.concat([read(paths.sweep(key)) for key in params.grid["sweeps"]], ignore_index=True)


def layers(params: Params) -> pd.DataFrame:
    """Return what all sweeps left of each layer as one table."""
    return pd.concat([read(paths.layers(key)) for key in params.grid["sweeps"]], ignore_index=True)


def checkpoints(params: Params) -> pd.DataFrame:
    """Return one row per trained network, teachers and students."""
    trained = [("teacher", key) for key in params.grid["teachers"]]
    trained += [("student", key) for key in params.grid["students"]]
    return pd.DataFrame([read_json(paths.training(role, key)) for role, key in trained])


def nested(frame: pd.DataFrame, keys: Iterable[str], values: Iterable[str]) -> dict[str, Any]:
    """Nest rows as dataset -> … -> figure, so that `dvc metrics diff` reads well.

    Figures are rounded to six significant digits; what is undefined is left out, for a metric is
    a number.
    """
    keys, values = list(keys), list(values)
    tree: dict[str, Any] = {}
    for row in frame.to_dict("records"):
        figures = {name: _figure(row[name]) for name in values}
        leaf = {name: value for name, value in figures.items() if value is not None}
        branch = tree
        for key in keys[:-1]:
            branch = branch.setdefault(str(row[key]), {})
        branch[str(row[keys[-1]])] = leaf
    return tree


def network(row: Mapping[str, Any]) -> str:
    """Return a network's name within its data set, as the instances are named."""
    return "-".join(row[key] for key in ("teacher", "student", "distill") if row[key])


def _figure(value: Any) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value.item() if hasattr(value, "item") else value


def for_plots(sweeps: pd.DataFrame, scored: pd.DataFrame, params: Params) -> dict[str, Any]:
    """Return the tables that `dvc plots` draws: one series name per row, few columns."""
    curves = sweeps.assign(network=sweeps.apply(network, axis=1) + " " + sweeps.method)
    bars = scored.assign(network=scored.apply(network, axis=1) + " " + scored.condition)
    keys = [*params.grid["teachers"], *params.grid["students"]]
    learned = [pd.read_csv(paths.learning(key)).assign(network=key) for key in keys]
    return {
        "accuracy": curves[["dataset", "network", "level", "seed", "test_accuracy"]],
        "efficiency": bars[["dataset", "network", "efficiency"]],
        "learning": pd.concat(learned)[["network", "epoch", "train_loss", "val_accuracy"]],
    }

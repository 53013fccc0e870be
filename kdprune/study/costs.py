"""The table metrics/measure.csv, of which each network's measuring writes its own rows."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kdprune.config.params import Params
from kdprune.records import REPLICATE, identity
from kdprune.study import checked, networks, paths
from kdprune.study.rows import breakpoint_level

UNPRUNED = "none"
OLDER = {"runtime": "torch", "graph": "", "steady": True}  # of tables that have no such columns
OF_ALL = {"metrics/breakpoints.csv"}  # inputs that hold more than one network's


def breakpoints(params: Params, name: str) -> tuple[dict[str, str], dict[str, float]]:
    """Return the identity of network `name`, and the level to measure of each variant: unpruned
    first, then of each method that it is swept by, but for curves that break at once.
    """
    sweeps = [item for item in params.grid["sweeps"].values() if networks.key(item) == name]
    who = {part: sweeps[0][part] for part in identity(sweeps[0])}
    levels = {item["method"]: breakpoint_level(Path(), who, item["method"]) for item in sweeps}
    return who, {UNPRUNED: 0.0} | {method: level for method, level in levels.items() if level}


def replaced(params: Params, name: str, measured: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the rows of network `name` replaced by `measured`, in the grid's order.

    Rows of networks that the grid does not name are left out.
    """
    before = _table()
    order = {one: place for place, one in enumerate(params.grid["networks"])}
    if not before.empty:  # of another grid's, even the columns
        named = _names(before)
        before = before[named.isin(order) & (named != name)]
    if REPLICATE in before and not before[REPLICATE].any():
        before = before.drop(columns=REPLICATE)
    parts = [] if before.empty else [before]
    joined = pd.concat([*parts, measured], ignore_index=True)
    ordered = joined.assign(place=_names(joined).map(order)).dropna(subset="place")
    return ordered.sort_values("place", kind="stable").drop(columns="place")


def still_true(name: str, levels: Mapping[str, float]) -> pd.DataFrame:
    """Return the rows of network `name` that hold yet: those at `levels`, by method."""
    before = _table()
    if before.empty:
        return before
    rows = before[_names(before) == name]
    return rows[rows.level == rows.method.map(dict(levels))]


def _table() -> pd.DataFrame:
    path = paths.MEASURE
    frame = checked.read(path, "measure") if path.exists() else pd.DataFrame()
    return frame if "runtime" in frame else frame.assign(**OLDER)


def _names(table: pd.DataFrame) -> pd.Series:
    return pd.Series(map(networks.key, table.to_dict("records")), table.index, dtype=object)

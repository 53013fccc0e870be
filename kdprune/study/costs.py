"""The table metrics/measure.csv, of which each network's measuring writes its own rows."""

from collections.abc import Mapping

import pandas as pd

from kdprune.config.params import Params
from kdprune.records import IDENTITY
from kdprune.study import networks, paths, tables

UNPRUNED = "none"


def replaced(params: Params, name: str, measured: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the rows of network `name` replaced by `measured`, in the grid's order.

    Rows of networks that the grid does not name are left out.
    """
    before = _table()
    parts = [] if before.empty else [before[_names(before) != name]]
    joined = pd.concat([*parts, measured], ignore_index=True)
    order = {one: place for place, one in enumerate(params.grid["networks"])}
    places = _names(joined).map(order)
    ordered = joined.assign(place=places).dropna(subset="place")
    return ordered.sort_values("place", kind="stable").drop(columns="place")


def still_true(name: str, levels: Mapping[str, float]) -> pd.DataFrame:
    """Return the rows of network `name` that hold yet: unpruned, or at its breakpoints.

    `levels` has the level of the breakpoint by pruning method.
    """
    before = _table()
    if before.empty:
        return before
    found = before[_names(before) == name]
    at = found.method.map({**levels, UNPRUNED: 0.0})
    return found[found.level == at]


def _table() -> pd.DataFrame:
    path = paths.MEASURE
    return tables.read(path, "measure") if path.exists() else pd.DataFrame()


def _names(table: pd.DataFrame) -> pd.Series:
    return table[IDENTITY].apply(networks.key, axis=1)

"""The tables of what trained on its way: metrics/trajectories.csv and plots/trajectories.csv.

The first has a row for each level of each network and method, what it cost to come there, and the
levels that the method could not reach; the second has the learning curves. Both are always there,
and have no rows where nothing trains on its way.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

from kdprune.config import grid
from kdprune.records import IDENTITY, identity
from kdprune.study import gathering, paths

LEVEL = ["level", "sparsity", "params", "nonzero_params", "macs", "epochs", "spent", "note"]
CURVE = ["level", "round", "epoch", "step", "lr", "train_loss", "val_accuracy"]
WHO = [*IDENTITY, "method"]


def gather(keys: Iterable[str]) -> None:
    """Write both tables of the trajectories `keys`; raises as `gathering.gather` does."""
    keys = list(keys)
    for table, name, columns in (
        (paths.TRAJECTORIES, "levels.csv", LEVEL),
        (paths.ROUNDS, "learning.csv", CURVE),
    ):
        made = [(f"sparsify@{key}", paths.sparsified(key) / name) for key in keys]
        gathering.gather(table, [*WHO, *columns], made)


def reached(table: pd.DataFrame, item: Mapping[str, str], levels: Iterable[float]) -> set[float]:
    """Return those of `levels` that a sweep of the grid has: all but those out of its method's
    reach, which `table`, the first of the two, tells.
    """
    if not item["checkpoint"].startswith(f"{grid.SPARSE}/"):
        return set(levels)
    wanted = {**item, "method": item["pruning"]}
    who = {name: wanted[name] for name in (*identity(table), "method")}
    mine = table[(table[[*who]] == pd.Series(who)).all(axis=1)]
    return set(levels) - set(mine[mine.sparsity.isna()].level)

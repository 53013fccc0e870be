"""What each network cost: epochs of its training, of its way through the levels, of its tuning.

The unit is an epoch of the network itself, forward and back. A forward pass alone, such as a
teacher's, counts a third of a step. Left out are the teacher's own training, the passes that
re-estimate batch norm, and those that only evaluate.
"""

from collections.abc import Mapping

import pandas as pd

from kdprune.analysis.efficiency import BEFORE
from kdprune.config.grid import LABELS
from kdprune.config.params import Params
from kdprune.methods import parts
from kdprune.records import IDENTITY, identity
from kdprune.study import tables

FORWARD = 1 / 3  # of a step, in steps
COLUMNS = [*IDENTITY, "condition", "training", "pruning", "tuning", "note"]


def spent(
    params: Params,
    breakpoints: pd.DataFrame,
    learned: Mapping[str, pd.DataFrame],
    levels: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return COLUMNS for each network as it was trained, and at the breakpoint of each pruning.

    `learned` has each training's learning curve by key, `levels` is metrics/trajectories.csv.
    Networks of several trainings have the column that tells these apart, as `breakpoints` has.
    `condition` as of `kdprune.analysis.efficiency`; one seed's tuning is counted. `note` is what a
    method that trains on its way tells of the level.
    """
    rows, called = [], identity(breakpoints)
    for role in ("teacher", "student"):
        for key, item in params.grid[f"{role}s"].items():
            who = {name: item.get(name, "") for name in called} | {"role": role}
            rows.append([*who.values(), BEFORE[role], _trained(who, learned[key]), 0.0, 0.0, ""])
    costs = {tuple(row[:-5]): row[-4] for row in rows}
    levels = tables.trained_on_the_way() if levels is None else levels
    way = levels.set_index([*identity(levels), "method", "level"])
    spent, notes = way.spent.to_dict(), way.note.to_dict()
    for row in breakpoints.to_dict("records"):
        named = tuple(row[name] for name in called)
        at = (*named, parts(row["method"])[0], row["level"])
        cost = costs[named], spent.get(at, 0.0), _tuned(params, row["method"])
        rows.append([*named, row["method"], *cost, notes.get(at, "")])
    return pd.DataFrame(rows, columns=[*called, *COLUMNS[len(IDENTITY) :]])


def _trained(who: Mapping[str, str], curve: pd.DataFrame) -> float:
    taught = who["role"] == "student" and who["distill"] != "none"
    return len(curve) * (1 + FORWARD * taught)


def _tuned(params: Params, method: str) -> float:
    """Return what one seed of a sweep's tuning costs."""
    taught = (told := params.prune.finetune).objective_of(method) != LABELS
    return {
        "none": 0.0,
        "head": told.views * FORWARD * (1 + taught),  # features once, and the logits to learn from
        "all": told.epochs_for(method) * (1 + FORWARD * taught),
    }[told.scope]

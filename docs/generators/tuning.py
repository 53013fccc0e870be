"""What the tuning of all layers does to the two prunings, at equal levels and at breakpoints."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from kdprune.reporting.paper import beside
from kdprune.study import comparable

HEAD, ALL = "desk-scores", "desk-tuned"  # the same networks
PAIR = [*beside.PAIR, "distill"]
ROLE, FIRST, SECOND = "student", "weight", "channel"


class Ratio(NamedTuple):
    """A mean ratio over pairs with its 95 % interval."""

    ratio: float
    low: float
    high: float


@cache
def curves(studies: Path, name: str) -> pd.DataFrame:
    """Return means over seeds of a study's students, by network, method and level."""
    sweeps = comparable.sweeps(studies / name)
    ours = sweeps[(sweeps.role == ROLE) & sweeps.method.isin([FIRST, SECOND])]
    columns = ["val_accuracy", "test_accuracy", "nonzero_params"]
    return ours.groupby([*PAIR, "method", "level"])[columns].mean()


def gap(studies: Path, name: str, level: float) -> float:
    """Return how many points of test accuracy weight pruning is ahead at a level; n pairs' mean."""
    at = curves(studies, name).test_accuracy.xs(level, level="level")
    first, second = (at.xs(method, level="method") for method in (FIRST, SECOND))
    return float((first - second).mean())


def lost(studies: Path) -> pd.Series:
    """Return what the tuning of all layers costs each unpruned student, in points of accuracy."""
    before, after = (
        curves(studies, name).test_accuracy.xs(0.0, level="level") for name in (HEAD, ALL)
    )
    return (before - after).groupby(PAIR).mean()


def from_the_head(studies: Path) -> Ratio:
    """Return the ratio of students tuned whole whose breaks count from the head-tuned network."""
    tolerance = comparable.rule(studies / HEAD)["tolerance"]
    dense = curves(studies, HEAD).val_accuracy.xs(0.0, level="level")
    whole = curves(studies, ALL)
    logs: dict[str, dict[tuple, float]] = {FIRST: {}, SECOND: {}}
    for key, curve in whole.groupby([*PAIR, "method"]):
        own = curve.droplevel([*PAIR, "method"]).sort_index()
        broken = own.index[own.val_accuracy < dense.loc[key] - tolerance - 1e-9]
        first = min((level for level in broken if level > 0), default=np.inf)
        end = own.loc[own.index[own.index < first].max()]
        logs[key[-1]][key[:-1]] = np.log(end.test_accuracy / end.nonzero_params)
    of_pairs = pd.Series(logs[FIRST]) - pd.Series(logs[SECOND])
    low, high = stats.t.interval(0.95, len(of_pairs) - 1, of_pairs.mean(), of_pairs.sem())
    return Ratio(*np.exp([of_pairs.mean(), low, high]))

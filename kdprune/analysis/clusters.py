"""The test beside a ratio that takes pairs of one teacher as one: sign flips of logarithms.

It stands beside the ratio and its interval, which are of logarithms, too. `cluster_p` of
kdprune.analysis.significance flips raw differences: it stands beside the paper's test.
"""

import numpy as np
import pandas as pd

from kdprune.analysis.significance import sign_flip

GROUP = ["dataset", "role", "distill"]
PAIR = ["teacher", "student"]


def by_teacher(first: pd.Series, second: pd.Series) -> float | None:
    """Return the two-sided p of flipping log(first / second), all pairs of a teacher together.

    Both series are aligned, and indexed by teacher and student. It is exact up to 14 teachers. None
    where there are fewer than two, where an efficiency is not above 0, and where all are equal.
    """
    if (first <= 0).any() or (second <= 0).any():
        return None
    logarithms = np.log(first / second).groupby(level="teacher", sort=False).sum()
    if len(logarithms) < 2 or not logarithms.any():
        return None
    return sign_flip(logarithms.to_numpy(float))


def added(compared: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """Return comparisons of `significance` with a column log_cluster_p, as `by_teacher` has it.

    `scored` are the efficiencies of pairs, replicates averaged.
    """
    known = {
        group: table.pivot_table("efficiency", PAIR, "condition", sort=False)
        for group, table in scored.groupby(GROUP, sort=False)
    }
    found = []
    for row in compared.to_dict("records"):
        wide = known.get(tuple(row[name] for name in GROUP), pd.DataFrame())
        two = [row["first"], row["second"]]
        both = wide[two].dropna() if {*two} <= {*wide.columns} else None
        found.append(None if both is None else by_teacher(both[two[0]], both[two[1]]))
    return compared.assign(log_cluster_p=pd.array(found, dtype="Float64").astype(float))

"""A data set's study in a handful of numbers."""

from typing import Any

import pandas as pd

from kdprune.analysis.replicates import averaged


def summary(
    breakpoints: pd.DataFrame, efficiencies: pd.DataFrame, differences: pd.DataFrame
) -> dict[str, Any]:
    """Summarise the students of one data set, from the tables of the three analyses.

    pairs: how many the means are over, replicates averaged. student, weight, channel: mean test
    accuracy in percent, as distilled and at the breakpoint of each pruning; weight_left,
    channel_left: mean share of the parameters that is left there, in percent. ratio: efficiency of
    channel over that of weight pruning, the geometric mean; p: of the paired t-test of its
    logarithm, after Holm. What tables do not have is left out. Several distillation methods give a
    mapping from each to its summary.
    """
    breakpoints, efficiencies = averaged(breakpoints), averaged(efficiencies)
    students = efficiencies[efficiencies.role == "student"]
    summaries = {
        method: _method(rows, *(_of(table, method) for table in (breakpoints, differences)))
        for method, rows in students.groupby("distill", sort=False)
    }
    return next(iter(summaries.values())) if len(summaries) == 1 else summaries


def _of(table: pd.DataFrame, distill: str) -> pd.DataFrame:
    return table[(table.role == "student") & (table.distill == distill)]


def _method(rows: pd.DataFrame, breaks: pd.DataFrame, differences: pd.DataFrame) -> dict[str, Any]:
    accuracy = rows.groupby("condition").accuracy.mean()
    told: dict[str, Any] = {"pairs": int((rows.condition == "distilled").sum())}
    told["student"] = round(accuracy["distilled"], 2)
    left = (100 * breaks.nonzero_params / breaks.dense_params).groupby(breaks.method).mean()
    for pruning, share in left.items():
        told |= {pruning: round(accuracy[pruning], 2), f"{pruning}_left": round(share, 1)}
    both = differences[(differences["first"] == "channel") & (differences["second"] == "weight")]
    for name, column, digits in (("ratio", "ratio", 3), ("p", "log_holm_p", 4)):
        for value in both[column].dropna():
            told[name] = round(value, digits)
    return told

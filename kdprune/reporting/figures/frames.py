"""Tables as figures need them: networks named, what a breakpoint's interval means, who is first."""

import numpy as np
import pandas as pd

from kdprune.analysis.efficiency import BEFORE
from kdprune.analysis.replicates import each, geometric
from kdprune.records import IDENTITY
from kdprune.reporting.document.formats import family

PAIR = ["dataset", "teacher", "student"]
CURVE = [*IDENTITY, "method"]


def with_network_names(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with a column `network`: "teacher → student", or "teacher".

    The distillation method is part of the name where the table holds several.
    """
    names = table.teacher.where(table.student == "", table.teacher + " → " + table.student)
    if len(set(table.distill) - {""}) > 1:
        names = names.where(table.distill == "", names + " (" + table.distill + ")")
    return table.assign(network=names)


def removed_at_breakpoints(layers: pd.DataFrame, breakpoints: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `layers` at each curve's breakpoint.

    Adds `network`, `removed` (the share of the layer's weights that is gone, in percent) and
    `depth` (the layer's position from the input, from 1).
    """
    where = [*CURVE, "level"]
    at = layers.merge(breakpoints[where], on=where)
    at = with_network_names(at).assign(removed=100 * (1 - at.nonzero_params / at.params))
    return at.assign(depth=at.groupby(CURVE).cumcount() + 1)


def means(sweeps: pd.DataFrame) -> pd.DataFrame:
    """Return each curve's means over seeds: test_accuracy (percent), nonzero_params, per level."""
    figures = ["test_accuracy", "nonzero_params"]
    return sweeps.groupby([*CURVE, "level"], sort=False)[figures].mean().reset_index()


def at_ends(breakpoints: pd.DataFrame, sweeps: pd.DataFrame) -> pd.DataFrame:
    """Add to each breakpoint what its curve has at the ends of the breakpoint's interval.

    Columns accuracy_low, params_low, accuracy_high, params_high; missing with one seed.
    """
    found = breakpoints.copy()
    curves = means(sweeps)
    for end in ("low", "high"):
        known = curves.rename(
            columns={
                "level": f"level_{end}",
                "test_accuracy": f"accuracy_{end}",
                "nonzero_params": f"params_{end}",
            }
        )
        found[f"level_{end}"] = found[f"level_{end}"].astype(float)
        found = found.merge(known, on=[*CURVE, f"level_{end}"], how="left")
    return found


def relative(
    scored: pd.DataFrame,
    breakpoints: pd.DataFrame,
    sweeps: pd.DataFrame,
    distill: str,
    role: str = "student",
) -> pd.DataFrame:
    """Return what pruning makes of each student's accuracy per parameter, unpruned = 1.

    A row per pair that `distill` made and pruning `condition`: `value`, with `low` and `high`
    where the ends of the breakpoint's interval would put it, and the student's `family`. Of `role`
    "teacher", a row per teacher, whose student is "".
    """
    own = scored[(scored.role == role) & (scored.distill == distill)]
    before = own[own.condition == BEFORE[role]]
    pruned = own[~own.condition.isin(BEFORE.values())]
    rows = pruned.merge(before[[*PAIR, "efficiency"]], on=PAIR, suffixes=("", "_before"))
    rows["value"] = rows.efficiency / rows.efficiency_before
    curves = at_ends(breakpoints, sweeps).rename(columns={"method": "condition"})
    kept = ["test_accuracy", "nonzero_params"]
    ends = [f"{what}_{end}" for end in ("low", "high") for what in ("accuracy", "params")]
    keys = [*IDENTITY, "condition"]
    rows = rows.merge(curves[[*keys, *kept, *ends]], on=keys, how="left")
    each = rows.test_accuracy / rows.nonzero_params
    both = [rows.value * rows[f"accuracy_{end}"] / rows[f"params_{end}"] / each for end in ENDS]
    rows["low"], rows["high"] = np.minimum(*both), np.maximum(*both)
    rows["family"] = rows[role].map(family)
    rows = rows[rows.value > 0]
    return rows[[*PAIR, "family", "condition", "value", "low", "high"]].reset_index(drop=True)


ENDS = ("low", "high")


def of_pairs(
    scored: pd.DataFrame,
    breakpoints: pd.DataFrame,
    sweeps: pd.DataFrame,
    distill: str,
    role: str = "student",
) -> pd.DataFrame:
    """Return the rows of `relative`, those of a pair's replicates averaged by their logarithms."""
    own = each(scored, breakpoints, sweeps)
    parts = [relative(one, broken, curves, distill, role) for one, broken, curves in own]
    if len(parts) == 1:
        return parts[0]
    keys = [*PAIR, "family", "condition"]
    grouped = pd.concat(parts).groupby(keys, sort=False)[["value", *ENDS]]
    return grouped.agg(geometric).reset_index()


def ordered(rows: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Return the pairs of `relative` in the order in which they are read.

    Columns family, teacher, student, ratio: of the first to the second pruning, the geometric mean
    over data sets. Families and pairs within a family go from the highest ratio to the lowest.
    """
    keys = ["family", "teacher", "student"]
    wide = rows.assign(log=np.log(rows.value)).pivot_table("log", [*keys, "dataset"], "condition")
    both = {first, second} <= set(wide)
    ratio = wide[first] - wide[second] if both else wide.mean(axis=1)
    pairs = ratio.fillna(-np.inf).groupby(level=keys).mean().rename("log").reset_index()
    pairs["best"] = pairs.groupby("family").log.transform("mean")
    return pairs.sort_values(
        ["best", "family", "log", "student"], ascending=[False, True, False, True]
    )


def images_of(sweeps: pd.DataFrame) -> dict[str, int]:
    """Return how many test images each data set's accuracies are shares of.

    No table holds that number: it is the smallest one of which every accuracy is a whole share.
    """
    counts = {}
    for name, values in sweeps.groupby("dataset", sort=False).test_accuracy:
        shares = np.unique(values.to_numpy(float)) / 100
        counts[name] = next((n for n in range(1, MOST) if _whole(shares * n)), MOST)
    return counts


def _whole(counts: np.ndarray) -> bool:
    return bool((np.abs(counts - np.round(counts)) < 1e-6 * np.maximum(1, counts)).all())


def sampled(accuracy: np.ndarray, spread: np.ndarray, images: int) -> np.ndarray:
    """Return the standard error of accuracies (percent): of `images` drawn, and over seeds."""
    share = accuracy / 100
    return np.sqrt(1e4 * share * (1 - share) / images + spread**2)


MOST = 100_001

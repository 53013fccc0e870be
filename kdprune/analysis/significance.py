"""Is the difference between two conditions more than chance? Paired tests over network pairs.

n is the number of pairs; seeds of the tuning and of the training are repeated measurements of a
pair, and are averaged before.
"""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from kdprune.analysis import check
from kdprune.analysis.replicates import averaged

ORDER = ["channel", "weight", "distilled", "teacher"]  # differences are first minus second
EXACT = 2**14  # sign flips that are enumerated, else drawn


def significance(efficiencies: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Return one row per data set, role, distillation method and two conditions.

    Pairs are matched by teacher and student, replicates of a pair averaged by the logarithm. Rows
    hold n, mean_difference with ci_low and ci_high, t, df, p (paired t-test, two-sided), holm_p
    (Holm 1979, over all rows of one role and distillation method), d_z and g_z (Cohen's and Hedges'
    standardised mean difference), wilcoxon_p, sign_flip_p (exact up to n = 14), cluster_p (the
    same, flipping all pairs of a teacher together), shapiro_p (normality of the differences),
    log_t, log_p and ratio with ratio_low and ratio_high (the test on logarithms; geometric mean
    ratio), log_holm_p (Holm's adjustment of log_p, over the same rows as holm_p), p_without_teacher
    (the largest p when one teacher's pairs are left out) and reason: why there is no test. Some
    figures are missing beside a test: shapiro_p and g_z below three pairs, wilcoxon_p where a
    difference is zero, those of logarithms where an efficiency is zero. Raises KdpruneError for a
    table with gaps.
    """
    rows = []
    groups = ["dataset", "role", "distill"]
    keys = [*groups, "teacher", "student", "condition"]
    check(efficiencies, "efficiency", keys=keys, numbers=["efficiency"], unique=False)
    efficiencies = averaged(efficiencies)
    for group, table in efficiencies.groupby(groups, sort=False):
        wide = table.pivot_table(
            index=["teacher", "student"], columns="condition", values="efficiency", sort=False
        )
        present = sorted(wide.columns, key=lambda name: (_rank(name), name))
        for first, second in combinations(present, 2):
            both = wide[[first, second]].dropna()
            rows.append(
                dict(zip(groups, group, strict=True))
                | {"first": first, "second": second}
                | compare(both[first], both[second], confidence=confidence)
            )
    result = pd.DataFrame(rows, columns=[*groups, "first", "second", *FIGURES])
    if rows:
        family = result.groupby(["role", "distill"])
        for adjusted, own in (("holm_p", "p"), ("log_holm_p", "log_p")):
            result[adjusted] = family[own].transform(holm)
    return result


def compare(first: pd.Series, second: pd.Series, *, confidence: float = 0.95) -> dict[str, Any]:
    """Compare two aligned series, indexed by teacher and student; see `significance`."""
    difference = (first - second).to_numpy(float)
    n = len(difference)
    missing = dict.fromkeys(FIGURES)
    if n:
        missing["mean_difference"] = difference.mean()
    if n < 2:
        return missing | {"n": n, "reason": f"{n} pair: a paired test needs at least two"}
    rounding = 1e-12 * max(1.0, first.abs().max(), second.abs().max())
    if np.ptp(difference) <= rounding:
        reason = "all differences are equal: their variance is zero, t is undefined"
        return missing | {"n": n, "reason": reason}
    test = stats.ttest_1samp(difference, 0)
    interval = test.confidence_interval(confidence)
    d_z = difference.mean() / difference.std(ddof=1)
    teachers = first.index.get_level_values(0)
    clusters = pd.Series(difference).groupby(np.asarray(teachers), sort=False).sum()
    return (
        missing
        | {
            "n": n,
            "mean_difference": difference.mean(),
            "ci_low": interval.low,
            "ci_high": interval.high,
            "t": test.statistic,
            "df": n - 1,
            "p": test.pvalue,
            "d_z": d_z,
            "g_z": d_z * (1 - 3 / (4 * (n - 1) - 1)) if n > 2 else None,  # the factor is 0 at 2
            "wilcoxon_p": stats.wilcoxon(difference, method="exact" if n <= 50 else "auto").pvalue
            if np.all(difference != 0)
            else None,
            "sign_flip_p": sign_flip(difference),
            "cluster_p": sign_flip(clusters.to_numpy()) if len(clusters) > 1 else None,
            "shapiro_p": stats.shapiro(difference).pvalue if n >= 3 else None,
            "p_without_teacher": _without_each(difference, np.asarray(teachers), rounding),
            "reason": "",
        }
        | _logarithmic(first.to_numpy(float), second.to_numpy(float), confidence)
    )


def holm(p: pd.Series) -> pd.Series:
    """Return Holm's step-down adjustment (Holm 1979) of p-values; missing ones stay missing."""
    known = pd.to_numeric(p).dropna().sort_values(kind="stable")
    factors = np.arange(len(known), 0, -1)
    adjusted = np.minimum(1, np.maximum.accumulate(known.to_numpy() * factors))
    return pd.Series(adjusted, index=known.index).reindex(p.index)


def sign_flip(differences: np.ndarray) -> float:
    """Return the two-sided p of the sign-flip test of a zero mean, exact up to 14 differences."""
    result = stats.permutation_test(
        (differences,),
        lambda values, axis=-1: values.mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=EXACT,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def _logarithmic(first: np.ndarray, second: np.ndarray, confidence: float) -> dict[str, float]:
    """Test the logarithm of the ratio: efficiencies span orders of magnitude.

    What a ratio's interval can't be told of within floating point's range is left out.
    """
    if (first <= 0).any() or (second <= 0).any():
        return {}
    logarithm = np.log(first / second)
    if np.ptp(logarithm) <= 1e-12:
        return {"ratio": float(np.exp(logarithm.mean()))}
    test = stats.ttest_1samp(logarithm, 0)
    interval = test.confidence_interval(confidence)
    with np.errstate(over="ignore"):
        figures = {
            "log_t": test.statistic,
            "log_p": test.pvalue,
            "ratio": np.exp(logarithm.mean()),
            "ratio_low": np.exp(interval.low),
            "ratio_high": np.exp(interval.high),
        }
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _without_each(difference: np.ndarray, teachers: np.ndarray, rounding: float) -> float | None:
    """Return the largest p when one teacher's pairs are left out; pairs share teachers."""
    pvalues = []
    for teacher in dict.fromkeys(teachers):
        rest = difference[teachers != teacher]
        if len(rest) < 2 or np.ptp(rest) <= rounding:
            return None
        pvalues.append(stats.ttest_1samp(rest, 0).pvalue)
    return max(pvalues) if len(pvalues) > 1 else None


def _rank(condition: str) -> int:
    return ORDER.index(condition) if condition in ORDER else -1


FIGURES = [
    "n",
    "mean_difference",
    "ci_low",
    "ci_high",
    "t",
    "df",
    "p",
    "holm_p",
    "d_z",
    "g_z",
    "wilcoxon_p",
    "sign_flip_p",
    "cluster_p",
    "shapiro_p",
    "log_t",
    "log_p",
    "log_holm_p",
    "ratio",
    "ratio_low",
    "ratio_high",
    "p_without_teacher",
    "reason",
]

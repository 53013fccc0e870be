"""Where a pruning curve breaks: the last size that still keeps the accuracy.

Always located on validation accuracy, averaged over seeds first; test accuracy is only read there.
"""

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from kneed import KneeLocator

from kdprune.analysis import check
from kdprune.analysis.bootstrap import interval, right
from kdprune.errors import KdpruneError
from kdprune.records import identity

SIZE = ["ratio", "sparsity", "params", "nonzero_params", "macs"]  # a level's, for every seed
SLACK = 1e-9  # percent; differences below are rounding


def breakpoints(
    sweeps: pd.DataFrame,
    *,
    rule: str = "tolerance",
    tolerance: float = 1.0,
    slope_ratio: float = 1.0,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return one row per curve of `sweeps`: of a network, and by a pruning method.

    rule "tolerance": the highest level that is reached without once losing more than `tolerance`
    points against the same network's level 0. "kneedle": the highest of the knees after Satopaa
    et al., ICDCSW 2011, by the kneed package. "slope": the level before the first step whose
    relative loss of accuracy exceeds `slope_ratio` times its relative saving of parameters.

    Rows hold the level found by `rule`, what the network is there (ratio, sparsity, params,
    nonzero_params, macs; seed means of val_accuracy and test_accuracy with the standard deviation
    test_sd), the same at level 0 (dense_…), n_seeds, censored (the curve never broke on the
    levels swept), level_low and level_high (percentile bootstrap at `confidence`), and the levels
    that each of the rules gives. Resampled are whole seeds and, where the column val_right says
    which images are classified rightly (kdprune.outcomes), validation images, the same at all
    levels; the interval is missing where there is but one of all. Raises KdpruneError for a table
    with gaps, such as a curve whose seeds do not all have the same levels, and ValueError for an
    unknown rule.
    """
    settings = {"tolerance": tolerance, "slope_ratio": slope_ratio}
    if rule not in RULES:
        raise ValueError(f"rule {rule!r} is unknown; allowed: {', '.join(RULES)}")
    numbers = [*SIZE, "val_accuracy", "test_accuracy"]
    named = [*identity(sweeps), "method"]
    check(sweeps, "sweeps", keys=[*named, "seed", "level"], numbers=numbers)
    rows = []
    for curve, points in sweeps.groupby(named, sort=False):
        matrix, levels, remaining = curves(curve, points)
        indices = {
            name: int(locate(matrix.mean(0)[None], levels, remaining, **settings)[0])
            for name, locate in RULES.items()
        }
        low, high = interval(
            right(points, matrix),
            partial(RULES[rule], levels=levels, remaining=remaining, **settings),
            resamples=resamples,
            confidence=confidence,
            seed=seed,
        )
        rows.append(
            dict(zip(named, curve, strict=True))
            | _at(points, levels[indices[rule]])
            | _dense(points)
            | {
                "n_seeds": len(matrix),
                "censored": indices[rule] == len(levels) - 1,
                "level_low": None if low is None else levels[low],
                "level_high": None if high is None else levels[high],
            }
            | {f"level_{name}": levels[index] for name, index in indices.items()}
        )
    return pd.DataFrame(rows)


def curves(
    name: tuple[str, ...], points: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a curve's validation accuracies [S, L], its levels [L], parameters left there [L].

    Raises KdpruneError, with its `name`, where not every seed has every level.
    """
    accuracy = points.pivot_table(index="seed", columns="level", values="val_accuracy")
    if accuracy.isna().any().any():
        told = "-".join(part for part in name if part)
        raise KdpruneError(f"sweeps: {told}: not every seed has every level; run `dvc repro`")
    remaining = points.groupby("level").nonzero_params.mean().to_numpy()
    return accuracy.to_numpy(), accuracy.columns.to_numpy(), remaining


def by_tolerance(
    means: np.ndarray, levels: np.ndarray, remaining: np.ndarray, *, tolerance: float, **_: float
) -> np.ndarray:
    """Return, per row of mean accuracies [R, L], the index of the last level kept [R]."""
    kept = means >= means[:, :1] - tolerance - SLACK
    return np.cumprod(kept, axis=1).sum(1) - 1


def by_slope(
    means: np.ndarray, levels: np.ndarray, remaining: np.ndarray, *, slope_ratio: float, **_: float
) -> np.ndarray:
    """Return the index before the first step that loses more than it saves, both relative."""
    start = np.maximum(means[:, :1], SLACK)
    loss = -np.diff(means, axis=1) / start
    saving = -np.diff(remaining) / remaining[0]
    broken = loss > slope_ratio * saving + SLACK
    never = np.ones((len(means), 1), bool)  # found behind the last step where no step breaks
    return np.hstack([broken, never]).argmax(1)


def by_kneedle(
    means: np.ndarray, levels: np.ndarray, remaining: np.ndarray, **_: float
) -> np.ndarray:
    """Return the index of the knee of each curve, of several the highest above the line between
    the curve's ends.

    A curve that is nowhere below its start has no knee, and is kept to its end. One that is nowhere
    above the line (any fall, where there are but two levels) has none either, and is kept nowhere.
    Where a curve does not run from its highest to its lowest accuracy, the line is still that from
    start to end.
    """
    return np.array([_knee(row, levels) for row in means])


def _knee(means: np.ndarray, levels: np.ndarray) -> int:
    if means.min() >= means[0] - SLACK:  # kneed scales by the range, even one of rounding
        return len(levels) - 1
    height = means - np.interp(levels, levels[[0, -1]], means[[0, -1]])
    if height.max() <= SLACK:  # kneed would name the end
        return 0
    if means.max() > means[0] + SLACK or means.min() < means[-1] - SLACK:
        return int(height.argmax())  # kneed scales by the range, which is not from start to end
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kneed warns where it finds no knee
        # online: all knees; else kneed returns the one at the highest level, whatever its height
        options = {"S": 0, "curve": "concave", "direction": "decreasing", "online": True}
        located = KneeLocator(levels, means, **options)
    knees = np.flatnonzero(np.isin(levels, list(located.all_knees)))
    return int(knees[height[knees].argmax()]) if len(knees) else int(height.argmax())


RULES: dict[str, Callable[..., np.ndarray]] = {
    "tolerance": by_tolerance,
    "kneedle": by_kneedle,
    "slope": by_slope,
}


def _at(points: pd.DataFrame, level: float) -> dict[str, float]:
    here = points[points.level == level]
    return {
        "level": level,
        **{name: here[name].iloc[0] for name in SIZE},
        "val_accuracy": here.val_accuracy.mean(),
        "test_accuracy": here.test_accuracy.mean(),
        "test_sd": here.test_accuracy.std(ddof=1) if len(here) > 1 else None,
    }


def _dense(points: pd.DataFrame) -> dict[str, float]:
    here = points[points.level == points.level.min()]
    return {
        "dense_params": here.params.iloc[0],
        "dense_val_accuracy": here.val_accuracy.mean(),
        "dense_test_accuracy": here.test_accuracy.mean(),
    }

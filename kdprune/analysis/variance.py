"""Where results vary: from pair to pair, from training to training, from tuning to tuning.

The model is nested and random: y = mean + pair + training within pair + tuning within training. Its
components are those of the balanced analysis of variance (Searle, Casella and McCulloch, Variance
Components, 1992, chapter 3): mean squares are set equal to what they are expected to be.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from kdprune.analysis import check
from kdprune.analysis.breakpoints import RULES, curves
from kdprune.errors import KdpruneError
from kdprune.records import IDENTITY, REPLICATE, identity

GROUP = ["dataset", "role", "distill", "method"]
PAIR = ["teacher", "student"]
LEVEL, EFFICIENCY = "breakpoint", "log efficiency"
PARTS = ("pair", "training", "tuning")
AGAINST = ("channel", "weight")  # their ratio is what the tests are of
RATIO = "channel / weight"
COLUMNS = [*GROUP, "quantity", "n_pairs", "n_trainings", "n_seeds", *PARTS]
COLUMNS += [*(f"share_{part}" for part in PARTS), "negative", "reason"]


def components(values: np.ndarray) -> dict[str, float | None]:
    """Return the variance components of balanced observations [pairs, trainings, seeds].

    By PARTS, as they are estimated: one may be negative, by chance, where it is small. None where
    it can't be: that of pairs with one pair, of trainings with one training each, of tuning with
    one seed; what one seed leaves of tuning is in that of trainings. Raises ValueError for
    another shape, and for what is not finite.
    """
    if values.ndim != 3 or not values.size or not np.isfinite(values).all():
        raise ValueError("variance: needs finite values of pairs, trainings and seeds")
    pairs, trainings, seeds = values.shape
    trained, paired = values.mean(2), values.mean((1, 2))
    squares = _mean_square(values - trained[:, :, None], pairs * trainings * (seeds - 1))
    between = _mean_square(trained - paired[:, None], pairs * (trainings - 1), seeds)
    over = _mean_square(paired - values.mean(), pairs - 1, seeds * trainings)
    return {
        "pair": _excess(over, between, seeds * trainings),
        "training": between if squares is None else _excess(between, squares, seeds),
        "tuning": squares,
    }


def _mean_square(deviations: np.ndarray, freedom: int, each: int = 1) -> float | None:
    return each * float((deviations**2).sum()) / freedom if freedom else None


def _excess(larger: float | None, smaller: float | None, each: int) -> float | None:
    return None if larger is None or smaller is None else (larger - smaller) / each


def observations(
    sweeps: pd.DataFrame,
    *,
    rule: str = "tolerance",
    tolerance: float = 1.0,
    slope_ratio: float = 1.0,
    **_: object,
) -> pd.DataFrame:
    """Return what every network gives by every seed of its tuning alone: a row of each.

    Settings are those of kdprune.analysis.breakpoints; what else these have is not for single
    seeds. Columns: those that name a network, method, seed; LEVEL: where that seed's own curve
    breaks, as a share of weights; EFFICIENCY: the natural logarithm of test accuracy per parameter
    left there (of all that is deployed: what else may be counted is a constant of the pair), -inf
    where no image is right.
    """
    named = [*identity(sweeps), "method"]
    check(sweeps, "sweeps", keys=[*named, "seed", "level"], numbers=["val_accuracy"])
    rows = []
    for name, points in sweeps.groupby(named, sort=False):
        matrix, levels, remaining = curves(name, points)
        settings = {"tolerance": tolerance, "slope_ratio": slope_ratio}
        at = RULES[rule](matrix, levels, remaining, **settings)
        tested = points.pivot_table(index="seed", columns="level", values="test_accuracy")
        with np.errstate(divide="ignore"):
            logs = np.log(tested.to_numpy()[np.arange(len(at)), at] / remaining[at])
        who = dict(zip(named, name, strict=True))
        figures = zip(tested.index, levels[at], logs, strict=True)
        rows += [
            {**who, "seed": seed, LEVEL: level, EFFICIENCY: log} for seed, level, log in figures
        ]
    return pd.DataFrame(rows)


def variance(sweeps: pd.DataFrame, **settings: Any) -> pd.DataFrame:
    """Return the components of every data set, role, distillation method and pruning: a row each.

    `settings` are those of `observations`. Quantities are LEVEL and EFFICIENCY, and of the paper's
    two prunings the logarithm of their ratio, as method RATIO. The components are variances, and
    `share_…` their part of the sum in percent. One that comes out below 0 is put at 0, and
    `negative` names it. `reason` says why there are none. Empty where nothing was trained twice.
    """
    if REPLICATE not in sweeps:
        return pd.DataFrame(columns=COLUMNS)
    seen = observations(sweeps, **settings)
    seen = pd.concat([seen, _ratios(seen)], ignore_index=True)
    rows = []
    for group, part in seen.groupby(GROUP, sort=False):
        who = dict(zip(GROUP, group, strict=True))
        for quantity in (LEVEL, EFFICIENCY):
            if part[quantity].notna().any():
                rows.append({**who, "quantity": quantity, **_row(part, quantity)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _ratios(seen: pd.DataFrame) -> pd.DataFrame:
    """Return the logarithm of the paper's two prunings' ratio, seed by seed."""
    keys = [*IDENTITY, REPLICATE, "seed"]
    wide = seen.pivot_table(EFFICIENCY, keys, "method", sort=False)
    if not {*AGAINST} <= {*wide}:
        return seen.head(0)
    with np.errstate(invalid="ignore"):
        ratio = (wide[AGAINST[0]] - wide[AGAINST[1]]).fillna(-np.inf).rename(EFFICIENCY)
    return ratio.reset_index().assign(method=RATIO)


def _row(part: pd.DataFrame, quantity: str) -> dict[str, Any]:
    wide = part.pivot_table(quantity, [*PAIR, REPLICATE], "seed")
    trainings = wide.groupby(level=PAIR).size()
    told: dict[str, Any] = {"n_pairs": len(trainings), "n_trainings": int(trainings.max())}
    told |= {"n_seeds": wide.shape[1], "negative": "", "reason": ""}
    if trainings.min() < trainings.max() or wide.isna().any(axis=None):
        raise KdpruneError("variance: not every pair has every training and seed; run `dvc repro`")
    values = wide.to_numpy(float).reshape(len(trainings), -1, wide.shape[1])
    if not np.isfinite(values).all():
        return told | {"reason": "an efficiency is 0, and has no logarithm"}
    estimated = components(values)
    kept = {name: None if value is None else max(0.0, value) for name, value in estimated.items()}
    below = [name for name, value in estimated.items() if value is not None and value < 0]
    return told | kept | shares(kept) | {"negative": " ".join(below)}


def shares(parts: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return each component's share of the sum, percent; None where one is not known, or all 0."""
    values = [parts[name] for name in PARTS]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not sum(known):
        return {f"share_{name}": None for name in PARTS}
    return {
        f"share_{name}": 100 * value / sum(known) for name, value in zip(PARTS, known, strict=True)
    }

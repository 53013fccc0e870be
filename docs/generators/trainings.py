"""How much another training moves: ten pairs trained twice, and three from three seeds."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from kdprune.analysis.variance import AGAINST, EFFICIENCY, LEVEL, RATIO, variance
from kdprune.records import REPLICATE
from kdprune.study import comparable

TWICE = ("desk", "desk-scores")  # on two cores, and on a GPU, which rounds otherwise
SEEDS = "desk-seeds"  # three of these pairs, from three seeds of their own
ROLE = "student"
SHOWN = {
    ("weight", LEVEL): "breakpoint of weight pruning, in points of sparsity",
    ("channel", LEVEL): "breakpoint of channel pruning, in points of sparsity",
    (RATIO, EFFICIENCY): "ratio of their efficiencies, in percent",
}


@cache
def components(studies: Path) -> pd.DataFrame:
    """Return the variance components of the pairs' two trainings, a row per quantity of SHOWN."""
    parts = []
    for number, name in enumerate(TWICE, 1):
        sweeps = comparable.sweeps(studies / name)
        both = sweeps[(sweeps.role == ROLE) & sweeps.method.isin(AGAINST)]
        parts.append(both.assign(**{REPLICATE: str(number)}))
    rows = variance(pd.concat(parts, ignore_index=True), **comparable.rule(studies / TWICE[0]))
    return rows.set_index(["method", "quantity"]).loc[list(SHOWN)]


def table(root: Path) -> str:
    """Return the table of the pairs that were trained twice."""
    return lines(components(root / "studies"))


@cache
def seeded(studies: Path) -> pd.DataFrame:
    """Return the variance components of the pairs trained from several seeds, as `components`."""
    rows = pd.read_csv(studies / SEEDS / "metrics/variance.csv")
    return rows[rows.role == ROLE].set_index(["method", "quantity"]).loc[list(SHOWN)]


def seeds(root: Path) -> str:
    """Return the table of the pairs that were trained from several seeds."""
    return lines(seeded(root / "studies"))


def lines(rows: pd.DataFrame) -> str:
    """Return a table of components: standard deviations, and shares of the variance."""
    first = rows.iloc[0]
    made = [
        "",
        f"| n = {first.n_pairs} pairs, {first.n_trainings} trainings of each, {first.n_seeds} "
        "tunings of each | between pairs | between trainings | between tunings |",
        "|---|---|---|---|",
    ]
    for key, row in rows.iterrows():
        cells = [
            f"{100 * np.sqrt(row[part]):.1f} ({row[f'share_{part}']:.0f} % of the variance)"
            + " (the estimate was negative)" * (part in str(row.negative).split())
            for part in ("pair", "training", "tuning")
        ]
        made.append(f"| {SHOWN[key]} | {' | '.join(cells)} |")
    return "\n".join([*made, "", ""])


def sentence(studies: Path) -> str:
    """Say how much of the ratio's variance the trainings are."""
    row, three = (of(studies).loc[(RATIO, EFFICIENCY)] for of in (components, seeded))
    shares, theirs = (
        [f"{one[f'share_{part}']:.0f} %" for part in ("pair", "training", "tuning")]
        for one in (row, three)
    )
    low, high = between(row)
    return (
        f"The ten pairs on CIFAR-10 were trained a second time, on a GPU: about {shares[0]} of the "
        f"ratio's variance lies between pairs ({low:.0f} to {high:.0f} %, as far as ten pairs can "
        f"tell), {shares[1]} between trainings of a pair, and {shares[2]} between tunings of a "
        f"network. Three of them were trained from three seeds of their own: {theirs[0]}, "
        f"{theirs[1]} and {theirs[2]}."
    )


def between(row: pd.Series, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of the pairs' share of the variance of one training's mean, percent.

    The exact one of a balanced one-way model with normal effects: Searle, Casella and McCulloch,
    Variance Components, 1992.
    """
    pairs, trainings = int(row.n_pairs), int(row.n_trainings)
    within = row.training + row.tuning / row.n_seeds
    ratio = 1 + trainings * row.pair / within  # of the mean squares
    ends = (1 + confidence) / 2, (1 - confidence) / 2
    limits = [ratio / stats.f.ppf(end, pairs - 1, pairs * (trainings - 1)) for end in ends]
    low, high = (100 * (limit - 1) / (limit - 1 + trainings) for limit in limits)
    return max(0.0, low), high

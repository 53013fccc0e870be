"""What several trainings of each pair tell: how far results vary from training to training."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdprune.analysis.variance import AGAINST, LEVEL, PARTS, RATIO
from kdprune.reporting.document.blocks import Block, Table, Text, table
from kdprune.reporting.document.formats import (
    condition,
    counted,
    dataset,
    distiller,
    is_missing,
    listed,
    short,
    whole,
)
from kdprune.reporting.headline import Headline

WHERE = {
    "pair": "between pairs",
    "training": "between trainings of one pair",
    "tuning": "between tunings of one network",
}
COLUMNS = [
    ("dataset", "Data set", None),
    ("role", "Networks", None),
    ("distill", "Distilled by", None),
    ("method", "Pruning", None),
    ("quantity", "Of what", None),
    ("n_pairs", "n pairs", whole),
    ("n_trainings", "n trainings", whole),
    ("n_seeds", "n tunings", whole),
    *((part, f"Variance {where}", short) for part, where in WHERE.items()),
    *((f"share_{part}", f"{part.capitalize()} %", short) for part in PARTS),
    ("negative", "Negative, put at 0", None),
    ("reason", "Why figures are missing", None),
]
CAPTION = (
    "Where results vary: components of variance of the breakpoint (a share of weights) and of the "
    "natural logarithm of efficiency, each at the breakpoint of one seed of tuning"
)


def varies(varied: pd.DataFrame, headline: Headline) -> list[Block]:
    """Return what a headline's students varied by: nothing where each pair was trained once."""
    if varied.empty:
        return []
    own = varied[(varied.dataset == headline.dataset) & (varied.distill == headline.distill)]
    rows = own[own.role == "student"].to_dict("records")
    if not rows:
        return []
    first = rows[0]
    trained = f"Each pair was trained {times(int(first['n_trainings']))}, teacher and student"
    parts = [f"{trained}, and its results are averaged before any test: n stays the pairs."]
    ratio = next((row for row in rows if row["method"] == RATIO), None)
    if ratio and {headline.ahead, headline.behind} == {*AGAINST}:
        parts.append(_ratio(ratio))
    levels = [
        f"{short(math.sqrt(row['training']))} with {condition(row['method'])}"
        for row in rows
        if row["quantity"] == LEVEL and not is_missing(row["training"])
    ]
    if levels:
        parts.append(f"A breakpoint's level varies by {listed(levels)} (standard deviation).")
    parts.append("With so few pairs and trainings, these figures are rough.")
    return [Text(" ".join(filter(None, parts)), lead="What another training would change.")]


def components(varied: pd.DataFrame) -> Table:
    """List all components of variance."""
    shown = varied.assign(
        dataset=varied.dataset.map(dataset),
        distill=varied.distill.map(distiller),
        role=varied.role + "s",
        method=varied.method.map(lambda name: condition(name).removesuffix(" pruning")),
    )
    return table(shown, COLUMNS, CAPTION)


def times(count: int) -> str:
    """Return "once", "twice", "3 times"."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _ratio(row: Mapping[str, Any]) -> str:
    """Say what the logarithm of the ratio varies by."""
    if is_missing(row["training"]):
        return ""
    step = f"by a factor of {short(math.exp(math.sqrt(row['training'])))} (one standard deviation)"
    said = f"From training to training, the ratio of one pair moves {step}."
    if not is_missing(row["share_pair"]):
        each = [f"{row[f'share_{part}']:.0f} % {where}" for part, where in WHERE.items()]
        said += (
            f" Of the variance of its logarithm lie {listed(each)} "
            f"(n = {counted(int(row['n_pairs']), 'pair')}, {int(row['n_trainings'])} trainings of "
            f"each, {counted(int(row['n_seeds']), 'tuning')} of each network)."
        )
    if row["negative"]:
        said += f" The estimate for {' and '.join(row['negative'].split())} is negative: put at 0."
    return said

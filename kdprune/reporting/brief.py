"""The answer of a study in a few lines, for a terminal."""

from collections.abc import Mapping

import pandas as pd

from kdprune.analysis.replicates import averaged
from kdprune.analysis.sizes import known
from kdprune.reporting.document.formats import (
    condition,
    dataset,
    distiller,
    is_missing,
    points,
    probability,
    share,
    short,
)
from kdprune.reporting.headline import Headline, headlines
from kdprune.reporting.sections.sure import keeping
from kdprune.reporting.sections.verdict import together
from kdprune.reporting.sections.weighed import leads

Styled = tuple[str, str]  # a style ("bold", "dim", "weight", ... or ""), and a text


def lines(tables: Mapping[str, pd.DataFrame], confidence: float) -> list[list[Styled]]:
    """Return the verdict, and two lines for each data set: what pruning keeps, and how surely.

    `tables` are efficiency, significance and breakpoints; layers and codings, where there are any.
    """
    found = headlines(averaged(tables["efficiency"]), tables["significance"])
    sizes = known(tables["breakpoints"], tables.get("layers"), tables.get("codings"))
    by_bytes = leads(found, sizes, confidence=confidence)
    told: list[list[Styled]] = [[("bold", text)] for text in together(found, confidence, by_bytes)]
    if not found:
        return [[("bold", "No networks were pruned in two ways: there is nothing to compare.")]]
    for headline in found:
        told += [_kept(headline, tables["breakpoints"]), _surely(headline)]
    return told


def _kept(headline: Headline, breakpoints: pd.DataFrame) -> list[Styled]:
    parts: list[Styled] = [("", f"{_name(headline):<22}")]
    for place, (name, values) in enumerate(keeping(breakpoints, headline).items()):
        text = f"{condition(name)} {share(values['left'])} % left, {points(values['lost'])} points"
        parts += [("", "; " if place else ""), ("ahead" if place == 0 else "behind", text)]
    return parts


def _surely(headline: Headline) -> list[Styled]:
    ends = f" ({short(headline.low)} to {short(headline.high)})"
    interval = "" if is_missing(headline.low) else ends
    chance = "no test" if is_missing(headline.p) else _chance(headline.p)
    text = f"{short(headline.ratio)} times the accuracy per parameter{interval}, {chance}, "
    return [("dim", f"{'':<22}{text}n = {headline.count}")]


def _chance(value: float) -> str:
    return f"p = {probability(value)}" if value >= 0.001 else "p < 0.001"


def _name(headline: Headline) -> str:
    who = distiller(headline.distill) if headline.role == "student" else "teachers"
    return f"{dataset(headline.dataset)}, {who}"

"""The study's question, answered in words that are computed from the tables."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdprune.analysis.efficiency import BEFORE
from kdprune.reporting.document.blocks import Bullets, Section, Text
from kdprune.reporting.document.formats import (
    condition,
    counted,
    dataset,
    fixed,
    is_missing,
    listed,
    share,
    signed,
)
from kdprune.reporting.paper import published
from kdprune.reporting.paper.beside import PAIR, PAPERS
from kdprune.reporting.paper.ttests import recomputed
from kdprune.reporting.sections.verdict import brief, robust, students, verdict
from kdprune.reporting.sections.weighed import bytes_of

TITLE = "Which pruning matches the distilled students best?"
figure = fixed(2)


def section(
    scored: pd.DataFrame,
    tested: pd.DataFrame,
    breakpoints: pd.DataFrame,
    *,
    confidence: float,
    settings: Mapping[str, Any],
    sizes: pd.DataFrame | None = None,
) -> Section:
    """Answer for each data set: the paper's comparison in full, others in a sentence each.

    `scored`, `tested` and `breakpoints` are the tables of kdprune.analysis: efficiency,
    significance, breakpoints; `sizes` the rows of kdprune.analysis.sizes, if there are any.
    """
    blocks: list[Any] = []
    others = []
    contrasts = _contrasts(tested)
    for name in dict.fromkeys(scored.dataset):
        rows = contrasts[contrasts.dataset == name].to_dict("records") if len(contrasts) else []
        if not rows:
            blocks.append(Text(_without(scored, name), lead=f"{dataset(name)}: no answer yet."))
            continue
        main = _main(rows)
        lead, text = verdict(main, confidence=confidence)
        blocks.append(Text(text, lead=f"{students(main)}: {lead}"))
        kept = [*_kept(scored, breakpoints, main), _censored(breakpoints, main)]
        views = [_papers(main), robust(main, confidence=confidence)]
        weighed = [bytes_of(main, sizes, confidence=confidence)]
        said_of = (kept, weighed, views)
        blocks += [Text(" ".join(filter(None, said))) for said in said_of if any(said)]
        others += [brief(row, confidence=confidence) for row in rows if row is not main]
    if others:
        blocks += [Text("Further comparisons:"), Bullets(others)]
    blocks.append(Text(" ".join([_basis(scored), _settings(settings)]).strip()))
    return Section(TITLE, blocks)


def _kept(scored: pd.DataFrame, breakpoints: pd.DataFrame, row: dict[str, Any]) -> list[str]:
    """Say per pruning what its students keep, against level 0, and level 0 against as distilled."""
    students, curves = _of(scored, row), _of(breakpoints, row)
    distilled = students[students.condition == "distilled"].set_index(PAIR).accuracy
    said: list[str] = []
    tuned: dict[Any, float] = {}
    for name in (row["first"], row["second"]):
        at = curves[curves.method == name].set_index(PAIR)
        if at.empty:
            continue
        tuned |= (at.dense_test_accuracy - distilled).dropna().to_dict()
        left = share((at.nonzero_params / at.dense_params).mean())
        points = signed(figure((at.test_accuracy - at.dense_test_accuracy).mean()))
        said.append(
            f"At its breakpoint, {condition(name)} leaves these students {left} % of their "
            f"parameters, and {points} points of test accuracy against level 0, where nothing is "
            f"pruned and all else is done alike (means, n = {len(at)})."
        )
    if tuned:
        points = signed(figure(sum(tuned.values()) / len(tuned)))
        said.append(
            f"Level 0 itself stands {points} points from the students as distilled (n = "
            f"{len(tuned)})."
        )
    return said


def _papers(row: dict[str, Any]) -> str:
    """Say what the paper finds on this data set, and whether the direction is the same."""
    if (row["first"], row["second"]) != ("channel", "weight") or is_missing(row["mean_difference"]):
        return ""
    theirs = recomputed(published.efficiencies()).set_index("dataset")
    if row["dataset"] not in theirs.index:
        return ""
    t, n = theirs.t[row["dataset"]], int(theirs.n[row["dataset"]])
    same = "same" if (t > 0) == (row["mean_difference"] > 0) else "opposite"
    return (
        f"From the paper's tables, {condition('channel' if t > 0 else 'weight')} is ahead (channel "
        f"− weight, t = {figure(t)}, n = {counted(n, 'pair')}); the mean difference here has the "
        f"{same} sign."
    )


def _censored(breakpoints: pd.DataFrame, row: dict[str, Any]) -> str:
    part = _of(breakpoints, row)
    part = part[part.method.isin([row["first"], row["second"]])]
    said = ""
    censored = int(part.censored.astype(bool).sum())
    if censored:
        said += (
            f"{censored} of these {counted(len(part), 'breakpoint')} "
            f"{'is' if censored == 1 else 'are'} censored: the curve never broke on the levels "
            "swept, so that more could have been pruned and the efficiency is too low. "
        )
    elif len(part):
        said += f"None of these {counted(len(part), 'breakpoint')} is censored. "
    nothing = int(((part.level == 0) & ~part.censored.astype(bool)).sum())
    if nothing:
        said += (
            f"{nothing} {'lies' if nothing == 1 else 'lie'} at level 0: the first step already "
            "broke the curve, and nothing is pruned there."
        )
    return said.strip()


def _without(scored: pd.DataFrame, name: str) -> str:
    part = scored[(scored.dataset == name) & (scored.role == "student")]
    swept = [item for item in dict.fromkeys(part.condition) if item not in BEFORE.values()]
    if not len(part):
        return "This grid holds no distilled students here."
    if not swept:
        return "None of its students was pruned."
    return f"Its students were pruned by {listed(swept)} only: there is nothing to compare it with."


def _basis(scored: pd.DataFrame) -> str:
    """Say how far the grid is the paper's."""
    pairs = scored.loc[scored.role == "student", PAIR].drop_duplicates()
    printed = published.breakpoints()[PAIR].drop_duplicates()
    shared = len(pairs.merge(printed, on=PAIR))
    if not shared:
        return (
            "None of these pairs is among the paper's: the direction can be compared with it, the "
            "figures cannot."
        )
    return f"{shared} of the paper's {len(printed)} pairs (both data sets) are in this grid."


def _settings(settings: Mapping[str, Any]) -> str:
    if not settings:
        return ""
    return "Run with: " + "; ".join(f"{key} {value}" for key, value in settings.items()) + "."


def _contrasts(tested: pd.DataFrame) -> pd.DataFrame:
    if tested.empty:
        return tested
    unpruned = list(BEFORE.values())
    return tested[
        (tested.role == "student")
        & ~tested["first"].isin(unpruned)
        & ~tested["second"].isin(unpruned)
    ]


def _main(rows: list[dict[str, Any]]) -> dict[str, Any]:
    def rank(row: dict[str, Any]) -> tuple[bool, bool]:
        return row["distill"] != PAPERS, (row["first"], row["second"]) != ("channel", "weight")

    return min(rows, key=rank)


def _of(table: pd.DataFrame, row: dict[str, Any]) -> pd.DataFrame:
    return table[
        (table.dataset == row["dataset"])
        & (table.role == "student")
        & (table.distill == row["distill"])
    ]

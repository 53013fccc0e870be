"""What stands behind "How sure is that?": the statistics of the answer, in words."""

from collections.abc import Mapping

import pandas as pd

from kdprune.analysis import power
from kdprune.analysis.efficiency import BEFORE
from kdprune.analysis.replicates import averaged
from kdprune.reporting.document.blocks import Text
from kdprune.reporting.document.formats import condition, counted, is_missing, points, share, short
from kdprune.reporting.headline import Headline
from kdprune.reporting.paper import published
from kdprune.reporting.paper.beside import PAIR
from kdprune.reporting.paper.ttests import recomputed
from kdprune.reporting.sections.verdict import cost, evidence, robust, students

CLAIM = 1.1  # a ratio worth to be known


def keeping(breakpoints: pd.DataFrame, headline: Headline) -> dict[str, dict[str, float]]:
    """Return what the students keep at the breakpoint, by pruning: left, lost and n.

    `left` is the mean share of the parameters, `lost` the mean change of test accuracy in points
    against level 0, where the same networks are fine-tuned and not pruned.
    """
    curves = of(averaged(breakpoints), headline)
    told = {}
    for name in (headline.ahead, headline.behind):
        at = curves[curves.method == name]
        if len(at):
            lost = (at.test_accuracy - at.dense_test_accuracy).mean()
            left = (at.nonzero_params / at.dense_params).mean()
            told[name] = {"left": left, "lost": lost, "n": len(at)}
    return told


def sure(
    headline: Headline,
    scored: pd.DataFrame,
    breakpoints: pd.DataFrame,
    kept: Mapping[str, Mapping[str, float]],
    confidence: float,
) -> list[Text]:
    """Return the paragraphs of one headline; `kept` is what `keeping` returns."""
    said = [
        f"At its breakpoint, {condition(name)} leaves {share(values['left'])} % of the parameters "
        f"and {cost(values['lost'])} compared with the same fine-tuning without pruning (mean of "
        f"{counted(int(values['n']), headline.role)})."
        for name, values in kept.items()
    ]
    parts = [
        " ".join([*said, _tuned(scored, breakpoints, headline)]),
        _censored(breakpoints, headline),
        " ".join(filter(None, [robust(headline, confidence=confidence), _papers(headline)])),
        _power(headline, confidence),
    ]
    first = Text(evidence(headline, confidence=confidence), lead=f"{students(headline.row)}.")
    return [first, *[Text(part) for part in parts if part.strip()]]


def _power(headline: Headline, confidence: float) -> str:
    """Say which claims so many pairs can support, and how many pairs smaller ones need."""
    if is_missing(headline.low) or not 0 < headline.low < headline.high or headline.n < 2:
        return ""
    spread = power.spread(headline.low, headline.high, headline.n, confidence)
    tells = power.told(headline.n, spread, alpha=1 - confidence)
    needed = counted(power.pairs_needed(CLAIM, spread, alpha=1 - confidence), headline.unit)
    return (
        f"{headline.unit.capitalize()}s that differ as much as these show a true ratio of "
        f"{short(tells)} or more in four of five studies of {headline.count}. A ratio of "
        f"{CLAIM:g} would need {needed}."
    )


def _tuned(scored: pd.DataFrame, breakpoints: pd.DataFrame, headline: Headline) -> str:
    """Say what fine-tuning alone changes: level 0 against the networks as they were trained."""
    before = of(scored, headline)
    before = before[before.condition == BEFORE[headline.role]].set_index(PAIR).accuracy
    curves = of(averaged(breakpoints), headline).drop_duplicates(PAIR).set_index(PAIR)
    gaps = (curves.dense_test_accuracy - before).dropna()
    if gaps.empty:
        return ""
    return (
        f"Fine-tuning alone changes the test accuracy of the "
        f"{'distilled students' if headline.role == 'student' else 'teachers'} by "
        f"{points(gaps.mean())} points."
    )


def _papers(headline: Headline) -> str:
    """Say what the paper finds on this data set, and whether the direction is the same."""
    if {headline.ahead, headline.behind} != {"channel", "weight"} or headline.role == "teacher":
        return ""
    theirs = recomputed(published.efficiencies()).set_index("dataset")
    if headline.dataset not in theirs.index or is_missing(headline.row["mean_difference"]):
        return ""
    t, n = theirs.t[headline.dataset], int(theirs.n[headline.dataset])
    papers = "channel" if t > 0 else "weight"
    same = (t > 0) == (headline.row["mean_difference"] > 0)
    return (
        f"In the paper's tables {condition(papers)} is ahead over {counted(n, 'pair')} (t = "
        f"{short(abs(t))}); the mean difference here points in the "
        f"{'same' if same else 'opposite'} direction."
    )


def _censored(breakpoints: pd.DataFrame, headline: Headline) -> str:
    part = of(breakpoints, headline)
    part = part[part.method.isin([headline.ahead, headline.behind])]
    censored = int(part.censored.astype(bool).sum())
    nothing = int(((part.level == 0) & ~part.censored.astype(bool)).sum())
    said = []
    if censored:
        said.append(
            f"{censored} of the {counted(len(part), 'breakpoint')} "
            f"{'is' if censored == 1 else 'are'} censored: the accuracy never fell on the levels "
            "that were run. More could have been pruned there, and the efficiency is too low."
        )
    if nothing:
        said.append(
            f"{nothing} of the {counted(len(part), 'breakpoint')} "
            f"{'lies' if nothing == 1 else 'lie'} at level 0: the first step cost too much, so "
            "nothing is pruned."
        )
    return " ".join(said)


def basis(scored: pd.DataFrame) -> str:
    """Say how far the grid is the paper's."""
    pairs = scored.loc[scored.role == "student", PAIR].drop_duplicates()
    printed = published.breakpoints()[PAIR].drop_duplicates()
    shared = len(pairs.merge(printed, on=PAIR))
    if pairs.empty:
        return ""
    if not shared:
        return (
            "None of these pairs is among the paper's. Compare the direction with it, not the "
            "figures."
        )
    return f"{shared} of the paper's {len(printed)} pairs (both data sets) are in this study."


def of(table: pd.DataFrame, headline: Headline) -> pd.DataFrame:
    """Return the rows of the networks that a headline compares."""
    return table[
        (table.dataset == headline.dataset)
        & (table.role == headline.role)
        & (table.distill == headline.distill)
    ]

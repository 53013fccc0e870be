"""The report's first screen: the question, the verdict, what shows it, and how sure it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kdprune.analysis.efficiency import BEFORE
from kdprune.reporting.document.blocks import (
    Block,
    Bullets,
    Figure,
    Fold,
    Hero,
    Section,
    Stat,
    Text,
)
from kdprune.reporting.document.formats import (
    condition,
    counted,
    dataset,
    is_missing,
    listed,
    points,
    probability,
    short,
)
from kdprune.reporting.headline import Headline, contrasts, headlines
from kdprune.reporting.sections import trainings
from kdprune.reporting.sections.further import further
from kdprune.reporting.sections.sure import basis, keeping, of, sure
from kdprune.reporting.sections.trainings import times
from kdprune.reporting.sections.verdict import robust, students, together
from kdprune.reporting.sections.weighed import bytes_of, leads, reached_of

QUESTIONS = {
    "student": "Which pruning keeps more accuracy per parameter after distillation?",
    "teacher": "Which pruning keeps more accuracy per parameter?",
}
COUNTED = {
    "student": "A pair is a student and its teacher.",
    "teacher": "Each teacher counts once.",
}
SURE = "How sure is that?"


def section(
    scored: pd.DataFrame,
    tested: pd.DataFrame,
    breakpoints: pd.DataFrame,
    figure: Figure | None,
    *,
    confidence: float,
    settings: Mapping[str, Any],
    sizes: pd.DataFrame | None = None,
    reached: pd.DataFrame | None = None,
    varied: pd.DataFrame | None = None,
) -> Section:
    """Answer for each data set: the paper's comparison where it is there, others in the fold.

    `scored`, `tested` and `breakpoints` are the tables of kdprune.analysis: efficiency,
    significance, breakpoints; `sizes` and `reached` the rows of kdprune.analysis.sizes and
    kdprune.analysis.reached, if there are any; `varied` those of kdprune.analysis.variance, where
    each pair was trained several times. `figure` shows the answer.
    """
    found = {item.dataset: item for item in headlines(scored, tested)}
    names = list(dict.fromkeys(scored.dataset))
    by_bytes = leads(list(found.values()), sizes, confidence=confidence)
    sentences: list[str] = together(list(found.values()), confidence, by_bytes)
    stats: list[tuple[str, list[Stat]]] = []
    blocks: list[Block] = []
    varied = pd.DataFrame() if varied is None else varied
    repeats = int(varied.n_trainings.max()) if len(varied) else 1
    for name in names:
        if name not in found:
            sentences.append(f"{dataset(name)}: no answer yet. {_without(_students(scored, name))}")
            continue
        headline = found[name]
        if headline.role == "teacher" and len(told := _students(scored, name)):
            sentences.append(_without(told))
        kept = keeping(breakpoints, headline)
        stats.append((students(headline.row), figures(headline, kept, confidence, repeats)))
        blocks += sure(headline, scored, breakpoints, kept, confidence)
        counts = (
            reached_of(dict(headline.row), reached, confidence=confidence),
            bytes_of(dict(headline.row), sizes, confidence=confidence),
        )
        blocks += [Text(text) for text in counts if text]
        blocks += trainings.varies(varied, headline)
    if len(varied):
        blocks.append(trainings.components(varied))
    chosen = {_named(item.row) for item in found.values()}
    every = contrasts(tested).to_dict("records")
    others = [row for row in every if _named(row) not in chosen]
    if others:
        blocks += [Text("Further comparisons:"), Bullets(further(others, scored, confidence))]
    blocks.append(Text(" ".join([basis(scored), _settings(settings)]).strip()))
    limits = _limits(list(found.values()), breakpoints, confidence, repeats)
    roles = {item.role for item in found.values()} or {"student"}
    question = QUESTIONS["student" if "student" in roles else "teacher"]
    return Section(question, [Hero(sentences, figure, stats, limits, Fold(SURE, blocks))])


def figures(
    headline: Headline,
    kept: Mapping[str, Mapping[str, float]],
    confidence: float,
    repeats: int = 1,
) -> list[Stat]:
    """Return the four figures in large type: ratio, pairs, p and accuracy lost."""
    ahead, behind = headline.ahead, headline.behind
    words = {name: condition(name).removesuffix(" pruning") for name in (ahead, behind)}
    interval = (
        f"{short(headline.low)} to {short(headline.high)} with {100 * confidence:g} % confidence"
        if not is_missing(headline.low)
        else "no interval"
    )
    again = "fine-tuning" if repeats == 1 else "training and of the fine-tuning"
    lost = {name: kept[name]["lost"] for name in (ahead, behind) if name in kept}
    return [
        Stat(
            f"{short(headline.ratio)}×",
            interval,
            f"Accuracy per parameter, {words[ahead]} against {words[behind]} pruning. "
            "1 would mean equal.",
        ),
        Stat(
            headline.count,
            f"{headline.wins} with {words[ahead]} pruning ahead",
            f"{COUNTED[headline.role]} Repeats of the {again} are not counted.",
        ),
        _chance(headline, confidence),
        Stat(
            " | ".join(points(value) for value in lost.values()) or "–",
            f"points of accuracy, {' | '.join(words[name] for name in lost)}",
            "What pruning to the breakpoint changes, against the same fine-tuning without pruning.",
        ),
    ]


def _chance(headline: Headline, confidence: float) -> Stat:
    """Return p in large type."""
    if is_missing(headline.p):
        return Stat("no test", "p does not exist", f"The reason: {headline.row['reason']}.")
    return Stat(
        f"p = {probability(headline.p)}" if headline.p >= 0.001 else "p < 0.001",
        f"below {1 - confidence:.2g} counts as evidence",
        "How often chance alone gives such a gap where both are equal, by a paired t-test after "
        "Holm.",
    )


def _limits(
    found: Sequence[Headline], breakpoints: pd.DataFrame, confidence: float, repeats: int
) -> str:
    """Return one line that says what limits the answer."""
    told = []
    fewest = min((item.n for item in found), default=0)
    if found and 2 / 2**fewest > 1 - confidence:
        unit = next(item.unit for item in found if item.n == fewest)
        told.append(f"only {counted(fewest, unit)}")
    told.append(f"each {'network' if repeats == 1 else 'pair'} was trained {times(repeats)}")
    curves = pd.concat([of(breakpoints, item) for item in found]) if found else breakpoints
    censored = int(curves.censored.astype(bool).sum())
    if censored:
        told.append(f"{censored} of {counted(len(curves), 'curve')} never broke")
    torn = [item for item in found if robust(item, confidence=confidence).endswith("uncertain.")]
    if torn:
        told.append("raw differences and ratios disagree about significance")
    return f"What limits this: {listed(told)}."


def _named(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("dataset", "role", "distill", "first", "second"))


def _students(scored: pd.DataFrame, name: str) -> pd.DataFrame:
    return scored[(scored.dataset == name) & (scored.role == "student")]


def _without(part: pd.DataFrame) -> str:
    """Say why students are not compared, from their rows of the efficiencies."""
    swept = [item for item in dict.fromkeys(part.condition) if item not in BEFORE.values()]
    if not len(part):
        return "This study holds no distilled students here."
    if not swept:
        return "None of its students was pruned."
    return f"Its students were pruned in one way only, by {condition(swept[0])}."


def _settings(settings: Mapping[str, Any]) -> str:
    if not settings:
        return ""
    return "Run with: " + "; ".join(f"{key} {value}" for key, value in settings.items()) + "."

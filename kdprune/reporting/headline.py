"""The comparison that the report opens with, one a data set: who is ahead, how far, how surely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kdprune.analysis.efficiency import BEFORE
from kdprune.reporting.document.formats import condition, counted, is_missing
from kdprune.reporting.figures.frames import PAIR
from kdprune.reporting.figures.lines import Mean
from kdprune.reporting.figures.looks import looks
from kdprune.reporting.paper.beside import PAPERS

PAPERS_CONTRAST = ("channel", "weight")
NONE = float("nan")
UNITS = {"student": "pair", "teacher": "teacher"}
DECIDES = ("log_holm_p", "holm_p", "p")  # the first that there is


@dataclass(frozen=True)
class Headline:
    """One data set's main comparison of two prunings.

    `row` is that of kdprune.analysis.significance. `ahead` and `behind` are prunings; `ratio` is
    the first's efficiency over the second's, a geometric mean of `n` pairs, with its interval;
    `wins` counts the pairs in which it is above 1; `p` is that of the t-test of the ratio's
    logarithm after Holm, since efficiencies span orders of magnitude; of the raw differences, as
    the paper has it, where a logarithm does not exist. What does not exist is NaN.
    """

    row: Mapping[str, Any]
    ahead: str
    behind: str
    n: int
    wins: int
    ratio: float
    low: float
    high: float
    p: float

    @property
    def dataset(self) -> str:
        """The data set's name."""
        return str(self.row["dataset"])

    @property
    def role(self) -> str:
        """Who is compared: "student", or "teacher" where no student was pruned in two ways."""
        return str(self.row["role"])

    @property
    def unit(self) -> str:
        """What is counted: a student with its teacher is a pair."""
        return UNITS[self.role]

    @property
    def count(self) -> str:
        """How many are compared: "10 pairs"."""
        return counted(self.n, self.unit)

    @property
    def distill(self) -> str:
        """What the students were distilled by."""
        return str(self.row["distill"])


def contrasts(tested: pd.DataFrame) -> pd.DataFrame:
    """Return the comparisons of two prunings of the same students.

    On data sets where no student was pruned at all, those of the same teachers.
    """
    if tested.empty:
        return tested
    unpruned = list(BEFORE.values())
    pruned = ~tested["first"].isin(unpruned) & ~tested["second"].isin(unpruned)
    swept = set(tested[tested.role == "student"].dataset)
    asked = (tested.role == "student") | ~tested.dataset.isin(swept)
    return tested[asked & pruned]


def headlines(scored: pd.DataFrame, tested: pd.DataFrame) -> list[Headline]:
    """Return a headline for each data set that has one: the paper's comparison where it is there.

    Else another one of SimKD's students, else the first that the table has.
    """
    every = contrasts(tested)
    found = []
    for name in dict.fromkeys(scored.dataset):
        rows = every[every.dataset == name].to_dict("records") if len(every) else []
        if rows:
            found.append(headline_of(min(rows, key=_rank), scored))
    return found


def _rank(row: Mapping[str, Any]) -> tuple[bool, bool]:
    return row["distill"] != PAPERS, (row["first"], row["second"]) != PAPERS_CONTRAST


def headline_of(row: Mapping[str, Any], scored: pd.DataFrame) -> Headline:
    """Return a comparison's row, with the efficiencies it is of, as a headline."""
    own = scored[(scored.role == row["role"]) & (scored.distill == row["distill"])]
    own = own[(own.dataset == row["dataset"]) & own.condition.isin([row["first"], row["second"]])]
    wide = own.pivot_table("efficiency", PAIR, "condition")
    both = wide.reindex(columns=[row["first"], row["second"]]).dropna()
    gap = both[row["first"]] - both[row["second"]]
    ends = [_number(row[name]) for name in ("ratio", "ratio_low", "ratio_high")]
    if is_missing(ends[0]) and len(both) and (both > 0).all(axis=None):  # of a single pair
        ends[0] = float(np.exp(np.log(both[row["first"]] / both[row["second"]]).mean()))
    turned = _turned(ends[0], row["mean_difference"])
    first, second = (row["second"], row["first"]) if turned else (row["first"], row["second"])
    if turned:
        ends = [1 / ends[0], 1 / ends[2], 1 / ends[1]]
    return Headline(
        row=row,
        ahead=first,
        behind=second,
        n=int(row["n"]),
        wins=int((-gap if turned else gap).gt(0).sum()),
        ratio=ends[0],
        low=ends[1],
        high=ends[2],
        p=_number(next((row[name] for name in DECIDES if not is_missing(row[name])), None)),
    )


def _turned(ratio: float, difference: Any) -> bool:
    """Whether the second pruning is ahead: by the ratio, as in the figure, else in the mean."""
    if not is_missing(ratio):
        return ratio < 1
    return not is_missing(difference) and bool(difference < 0)


def _number(value: Any) -> float:
    return NONE if is_missing(value) else float(value)


def decided(headline: Headline, confidence: float) -> bool:
    """Whether the test that decides finds a difference after Holm's correction."""
    return headline.p <= 1 - confidence


def averages(found: Sequence[Headline], tested: pd.DataFrame) -> list[Mean]:
    """Return the means that the headline's figure draws: of each pruning, and of their ratio."""
    drawn = []
    order = {name: place for place, name in enumerate(looks(tested["first"]))}
    for headline in found:
        mine = tested[(tested.dataset == headline.dataset) & (tested.distill == headline.distill)]
        mine = mine[mine.role == headline.role]
        own = mine[(mine.second == BEFORE[headline.role]) & ~mine.ratio.isna()]
        for row in own.sort_values("first", key=lambda names: names.map(order)).to_dict("records"):
            own_ends = (_number(row[name]) for name in ("ratio", "ratio_low", "ratio_high"))
            drawn.append(Mean(headline.dataset, row["first"], condition(row["first"]), *own_ends))
        if not is_missing(headline.ratio):
            label = f"{headline.ahead} ÷ {headline.behind}".replace("_", " ")
            ends = (headline.ratio, headline.low, headline.high)
            drawn.append(Mean(headline.dataset, "", label, *ends))
    return drawn

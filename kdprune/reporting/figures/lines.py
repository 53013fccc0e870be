"""The lines of the study's picture, families, pairs and means, and the scale that they share."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from kdprune.reporting.document.formats import network
from kdprune.reporting.figures.frames import ordered


@dataclass(frozen=True)
class Mean:
    """A mean over the pairs of a data set: of a pruning, or of one over another ("")."""

    dataset: str
    condition: str
    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """A line of the picture: a family's name, a pair ("teacher → student") or a mean."""

    kind: str
    text: str
    key: tuple[str, ...] = ()


def lines_of(rows: pd.DataFrame, averages: Sequence[Mean], versus: tuple[str, str]) -> list[Line]:
    """Return the picture's lines: families with their pairs, then the means."""
    lines: list[Line] = []
    for group, part in ordered(rows, *versus).groupby("family", sort=False):
        lines.append(Line("family", str(group)))
        lines += [
            Line("pair", network(row._asdict()), (row.teacher, row.student))
            for row in part.itertuples()
        ]
    told = list(dict.fromkeys((item.label, item.condition) for item in averages))
    if told:
        alone = len(rows) and not rows.student.any()
        lines.append(Line("family", "Mean of all teachers" if alone else "Mean of all pairs"))
    return lines + [Line("mean", label, (label, condition)) for label, condition in told]


def span(rows: pd.DataFrame, averages: Sequence[Mean]) -> tuple[float, float]:
    """Return the ends of the shared scale: all points, the middle of all means, most intervals."""
    values = [*rows.value, *rows.low.dropna(), *rows.high.dropna(), *(a.value for a in averages)]
    ends = [end for item in averages for end in (item.low, item.high) if end == end]
    low, high = min([*values, 1.0]), max([*values, 1.0])
    # an interval of very few pairs may be endless: it is cut at twice the span of the points
    low = max(min([low, *ends]), low / 2)
    high = min(max([high, *ends]), high * 2)
    return low / 1.08, high * 1.08

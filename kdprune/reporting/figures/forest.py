"""The study in one picture: a row a pair, each pruning against the unpruned student, and means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdprune.reporting.document.formats import dataset, short
from kdprune.reporting.figures import canvas
from kdprune.reporting.figures.canvas import Scale
from kdprune.reporting.figures.lines import Line, Mean, lines_of, span
from kdprune.reporting.figures.looks import Look
from kdprune.reporting.figures.style import INK, SOFT

NARROW = 560  # pixels; below, names stand above their rows, and data sets below each other
ROW, HEAD, AXIS, RATIO = 23, 25, 46, 62  # pixels: a row, a title, an axis, a column of ratios
FEW, AIR = 9, 10  # lines that leave room, and what each gets of it
TITLE = "accuracy per parameter, as a multiple of the unpruned student's"
ALONE = "accuracy per parameter, as a multiple of the unpruned teacher's"
SHORT = "accuracy per parameter, unpruned = 1"
SHORTEST = "multiple of unpruned"
BAR = "bar: where the breakpoint may lie"
DIAMOND = "diamond: mean, interval"


@dataclass(frozen=True)
class Panel:
    """One data set's place: its scale, where its rows begin, and where its ratios end."""

    dataset: str
    scale: Scale
    top: float
    ratios: float
    left: float


def forest(
    rows: pd.DataFrame,
    averages: Sequence[Mean],
    looks: Mapping[str, Look],
    versus: tuple[str, str],
    width: int = 680,
) -> Figure:
    """Draw `rows` (see frames.relative): a panel a data set, rows shared, means as diamonds.

    `versus` are the prunings whose ratio is written at the right, the first over the second.
    """
    names = list(dict.fromkeys(rows.dataset))
    lines = lines_of(rows, averages, versus)
    labels = max([canvas.length(item.text) for item in lines], default=0) + 26
    narrow = width < NARROW or labels > width / 2  # no name is so long that no room is left
    room = ROW + (15 if narrow else AIR * (len(lines) <= FEW))
    pitch = [HEAD if item.kind == "family" else room for item in lines]
    labels = 6 if narrow else labels
    columns = 1 if narrow else max(1, min(2, len(names)))
    down = HEAD + sum(pitch) + AXIS
    entries = [look for name, look in looks.items() if name in set(rows.condition)]
    key = 18 * (1 + sum(canvas.length(item.name) + 46 for item in entries) // width + narrow + 1)
    figure, page = canvas.sheet(width, key + down * -(-len(names) // columns))
    canvas.legend(page, 4, 12, width - 8, entries, BAR, DIAMOND)
    each = (width - labels) / columns
    title = TITLE if rows.student.any() else ALONE
    for place, name in enumerate(names):
        left, top = labels + each * (place % columns), key + down * (place // columns)
        ends = left + 8, left + each - RATIO - 12
        scale = Scale(*span(rows, averages), *ends, log=True)
        spot = Panel(name, scale, top + HEAD, left + each - 8, left)
        _frame(page, spot, sum(pitch), each, " ÷ ".join(versus), title)
        at = spot.top
        for item, high in zip(lines, pitch, strict=True):
            if place % columns == 0:
                _label(page, item, labels, at, high, narrow)
            middle = at + (high if not narrow or item.kind == "family" else high + 14) / 2
            _line(page, spot, item, rows, averages, looks, versus, middle)
            at += high
    return figure


def times(value: float) -> str:
    """Write a tick of a scale of ratios."""
    return f"{value:g}×"


def _frame(page: Axes, spot: Panel, tall: float, each: float, over: str, title: str) -> None:
    bottom = spot.top + tall
    canvas.words(page, spot.left + 2, spot.top - 12, dataset(spot.dataset), bold=True)
    canvas.words(page, spot.ratios, spot.top - 12, over, size=8, soft=True, anchor="right")
    title = canvas.fitting(each - RATIO, 8.5, title, SHORT, SHORTEST)
    canvas.across(page, spot.scale, spot.top, bottom, times, title, 34)
    canvas.line(page, [spot.scale(1)] * 2, [spot.top, bottom], SOFT, 1.0)


def _label(page: Axes, item: Line, labels: float, at: float, high: float, narrow: bool) -> None:
    if item.kind == "family":
        middle = at + high / 2 + 1
        canvas.words(page, 6, middle, item.text, size=8.5, bold=True, soft=True, over=narrow)
    elif narrow:
        canvas.words(page, 6, at + 10, item.text, size=8.5, over=True)
    else:
        canvas.words(page, labels - 12, at + high / 2, item.text, anchor="right")


def _line(
    page: Axes,
    spot: Panel,
    item: Line,
    rows: pd.DataFrame,
    averages: Sequence[Mean],
    looks: Mapping[str, Look],
    versus: tuple[str, str],
    middle: float,
) -> None:
    if item.kind == "pair":
        pair = (rows.teacher == item.key[0]) & (rows.student == item.key[1])
        _dumbbell(page, spot, rows[pair & (rows.dataset == spot.dataset)], looks, versus, middle)
    if item.kind == "mean":
        for each in averages:
            if (each.dataset, each.label, each.condition) == (spot.dataset, *item.key):
                _mean(page, spot, each, looks, middle)


def _dumbbell(
    page: Axes,
    spot: Panel,
    part: pd.DataFrame,
    looks: Mapping[str, Look],
    versus: tuple[str, str],
    middle: float,
) -> None:
    """Draw one pair: a mark a pruning, each with its interval, and their ratio in figures."""
    if part.empty:
        return canvas.words(page, spot.ratios, middle, "not run", size=8, soft=True, anchor="right")
    drawn = [name for name in looks if name in set(part.condition)]
    known = part.set_index("condition")
    at = {name: spot.scale(known.value[name]) for name in drawn}
    canvas.line(page, [min(at.values()), max(at.values())], [middle] * 2, SOFT, 1.4)
    apart = bool((known.high > known.low).any())  # intervals must not lie on each other
    step = min(7.0, 15 / len(drawn)) if apart else 0
    for place, name in enumerate(drawn):
        y = middle + step * (place - (len(drawn) - 1) / 2)
        low, high = known.low[name], known.high[name]
        if low == low and high == high:
            ends = [spot.scale(low), spot.scale(high)]
            canvas.line(page, ends, [y, y], looks[name].colour, 2.2, alpha=0.45)
        canvas.mark(page, at[name], y, looks[name])
    if set(versus) <= set(drawn):
        ratio = f"{short(known.value[versus[0]] / known.value[versus[1]])}×"
        canvas.words(page, spot.ratios, middle, ratio, anchor="right")
    return None


def _mean(page: Axes, spot: Panel, mean: Mean, looks: Mapping[str, Look], middle: float) -> None:
    look = looks.get(mean.condition)
    colour = look.colour if look else INK
    at = spot.scale(mean.value)
    if mean.low == mean.low and mean.high == mean.high:
        ends = spot.scale(mean.low), at, spot.scale(mean.high)
        canvas.diamond(page, ends, middle, colour)
    else:
        canvas.line(page, [at - 5, at + 5], [middle] * 2, colour, 3)
    if not look:  # the mean of the column
        canvas.words(page, spot.ratios, middle, f"{short(mean.value)}×", anchor="right", bold=True)

"""A sheet measured in pixels, on which scales, words, marks and legends stand where they shall.

All panels of a figure share one pair of matplotlib's axes: a hundred panels with axes of their own
take half a minute, and their titles overprint.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextToPath
from matplotlib.ticker import MaxNLocator

from kdprune.reporting.figures.looks import Dash, Look
from kdprune.reporting.figures.style import INK, LINE, SOFT, STYLE
from kdprune.reporting.figures.svg import HALO

INCH = 96  # pixels, as browsers count
GAP = 18  # pixels between the entries of a legend


@dataclass(frozen=True)
class Scale:
    """From values to pixels: `low` lies at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False  # label whole numbers only

    def __call__(self, value: float) -> float:
        """Return where a value lies; values beyond the ends lie at the ends."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = (float(np.log(item)) for item in (low, high, at))
        return self.start + (self.end - self.start) * (at - low) / ((high - low) or 1)

    def ticks(self, apart: float = 55) -> Sequence[float]:
        """Return round values to label, at least about `apart` pixels from each other."""
        most = max(2, int(abs(self.end - self.start) / apart))
        if not self.log:
            round_ = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=self.whole)
            values = round_.tick_values(self.low, self.high)
            return [float(value) for value in values if self.low <= value <= self.high]
        for digits in ((1, 1.5, 2, 3, 4, 6, 8), (1, 2, 5), (1, 3), (1,)):
            values = [digit * 10.0**power for power in range(-6, 12) for digit in digits]
            values = [value for value in values if self.low <= value <= self.high]
            if len(values) <= most:
                return values
        return values[:: -(-len(values) // most)]


def silent(_: float) -> str:
    """Write nothing at a tick: another panel says it."""
    return ""


def fitting(room: float, size: float, *texts: str) -> str:
    """Return the first of `texts` that is no wider than `room` pixels, else the last."""
    return next((text for text in texts if length(text, size) <= room), texts[-1])


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure, and axes over all of it whose unit is a pixel, y downwards."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width / INCH, height / INCH), dpi=INCH)
        page = figure.add_axes((0, 0, 1, 1), frameon=False)
    page.set(xlim=(0, width), ylim=(height, 0))
    page.set_axis_off()
    return figure, page


def words(
    page: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = 9,
    bold: bool = False,
    soft: bool = False,
    anchor: str = "left",
    over: bool = False,
) -> None:
    """Write a line: y is its middle, x its left end, center or right; `over` others, these stop."""
    if not text:
        return
    page.text(
        x,
        y,
        text.replace("$", r"\$"),
        fontsize=size,
        fontweight="bold" if bold else "normal",
        color=SOFT if soft else INK,
        horizontalalignment=anchor,
        verticalalignment="center_baseline",
        gid=HALO if over else None,
    )


@functools.lru_cache(maxsize=4096)
def length(text: str, size: float = 9) -> float:
    """Return how many pixels a text is wide."""
    font = FontProperties(size=size)
    points, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return points * INCH / 72


def line(
    page: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    colour: str = LINE,
    width: float = 0.8,
    dash: Dash = "-",
    alpha: float = 1,
) -> None:
    """Draw a line through points of the sheet; it is broken where they are NaN."""
    # Axes.plot takes ten times as long, and add_line twice
    page.add_artist(Line2D(xs, ys, color=colour, linewidth=width, linestyle=dash, alpha=alpha))


def lines(page: Axes, ends: Iterable[tuple[float, float, float, float]], **how: Any) -> None:
    """Draw straight lines from (x, y) to (x, y), all as one."""
    xs, ys = [], []
    for x, y, to_x, to_y in ends:
        xs += [x, to_x, np.nan]
        ys += [y, to_y, np.nan]
    line(page, xs, ys, **how)


def mark(page: Axes, x: float, y: float, look: Look, size: float = 6.5, fill: str = "") -> None:
    """Draw one point as its condition looks, or as a ring around `fill`."""
    point = Line2D([x], [y], linestyle="", marker=look.marker, markersize=size)
    point.set(color=fill or look.colour, markeredgecolor=look.colour, markeredgewidth=1.5)
    page.add_artist(point)


def diamond(page: Axes, ends: tuple[float, float, float], y: float, colour: str) -> None:
    """Draw a mean with its interval: left end, middle and right end."""
    left, middle, right = ends
    page.fill([left, middle, right, middle], [y, y - 6, y, y + 6], color=colour, linewidth=0)


def legend(
    page: Axes, x: float, y: float, width: float, looks: Iterable[Look], *more: str
) -> float:
    """Draw what each look stands for, in as many lines as `width` needs; return the height."""
    start, top = x, y
    entries: list[Look | str] = [*looks, *more]
    for entry in entries:
        text = entry if isinstance(entry, str) else entry.name
        swatch = 0 if isinstance(entry, str) else 28
        room = length(text) + swatch
        if x > start and x + room > start + width:
            x, y = start, y + 18
        if isinstance(entry, Look):
            line(page, [x, x + 22], [y, y], entry.colour, 1.4, entry.dash)
            mark(page, x + 11, y, entry)
        words(page, x + swatch, y, text, soft=isinstance(entry, str))
        x += room + GAP
    return y - top + 18


def across(
    page: Axes,
    scale: Scale,
    top: float,
    bottom: float,
    write: Callable[[float], str],
    title: str = "",
    apart: float = 55,
) -> None:
    """Draw a horizontal axis below a panel: its grid, its labels and its title."""
    ticks = scale.ticks(apart)
    lines(page, [(scale(at), top, scale(at), bottom) for at in ticks], width=0.6, alpha=0.6)
    for value in ticks:
        words(page, scale(value), bottom + 10, write(value), size=8, soft=True, anchor="center")
    line(page, [scale.start, scale.end], [bottom, bottom])
    middle = (scale.start + scale.end) / 2
    words(page, middle, bottom + 27, title, size=8.5, soft=True, anchor="center")


def up(page: Axes, scale: Scale, left: float, right: float, write: Callable[[float], str]) -> None:
    """Draw a vertical axis at the left of a panel: its grid and its labels."""
    ticks = scale.ticks(28)
    lines(page, [(left, scale(at), right, scale(at)) for at in ticks], width=0.6, alpha=0.6)
    for value in ticks:
        words(page, left - 5, scale(value), write(value), size=8, soft=True, anchor="right")

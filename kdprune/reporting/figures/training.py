"""How every network was trained: validation accuracy by epoch, small multiples on shared axes."""

import re
from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from kdprune.reporting.figures import canvas
from kdprune.reporting.figures.canvas import Scale
from kdprune.reporting.figures.style import INK

REPEAT = re.compile(r"s\d+")  # of a name: the seed of a pair that was trained by several
TALL, TITLE, LEFT, BELOW, LEAST = 84, 42, 40, 42, 172  # pixels; LEAST: the width of a panel


def training(curves: Mapping[str, pd.DataFrame], width: int = 1080) -> Figure:
    """Draw validation accuracy (percent) by epoch for each training, a panel each, by its name.

    `curves` have the columns epoch and val_accuracy. All panels have the same axes.
    """
    names = list(curves)
    columns = max(1, min(len(names), int((width - LEFT) // LEAST)))
    each = min(300.0, (width - LEFT) / columns)
    rows = -(-len(names) // columns)
    figure, page = canvas.sheet(width, rows * (TITLE + TALL) + BELOW)
    values = [value for curve in curves.values() for value in curve.val_accuracy]
    longest = max((int(curve.epoch.max()) for curve in curves.values()), default=1)
    for place, name in enumerate(names):
        column, row = place % columns, place // columns
        left, top = LEFT + each * column, row * (TITLE + TALL) + TITLE
        x = Scale(1, max(2, longest), left + 2, left + each - 22)
        y = Scale(min(values), max(values), top + TALL - 4, top + 4)
        last = place + columns >= len(names)
        first, second = _titles(name)
        canvas.words(page, left, top - 23, first, size=8, bold=True)
        canvas.words(page, left, top - 10, second, size=8, soft=True)
        canvas.up(page, y, x.start, x.end, "{:g}".format if column == 0 else canvas.silent)
        write, title = ("{:g}".format, "epoch") if last else (canvas.silent, "")
        canvas.across(page, x, y.end, y.start + 4, write, title, 45)
        curve = curves[name]
        xs, ys = [x(at) for at in curve.epoch], [y(at) for at in curve.val_accuracy]
        canvas.line(page, xs, ys, INK, 1.4)
    return figure


def _titles(name: str) -> tuple[str, str]:
    """Return a training's name in two lines: the teacher, then the student and its method."""
    _, teacher, *rest = name.split("-") if "-" in name else ("", name)
    if rest and REPEAT.fullmatch(rest[-1]):
        teacher += f" ({rest.pop()})"
    return teacher, f"→ {'-'.join(rest)}" if rest else "teacher"

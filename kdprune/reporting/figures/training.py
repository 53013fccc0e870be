"""How every network was trained: validation accuracy by epoch, small multiples on shared axes."""

import re
from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from kdprune.reporting.document.formats import dataset, taught
from kdprune.reporting.figures import canvas
from kdprune.reporting.figures.canvas import Scale
from kdprune.reporting.figures.style import INK

REPEAT = re.compile(r"s\d+")  # of a name: the seed of a pair that was trained by several
TALL, TITLE, LEFT, BELOW, LEAST = 84, 42, 40, 42, 172  # pixels; LEAST: the width of a panel
UNIT = 14  # pixels, for what the axis counts
MANY = 24  # trainings, beyond which those of one kind share a panel
Panels = dict[tuple[str, str], list[pd.DataFrame]]  # curves by a title of two lines


def training(curves: Mapping[str, pd.DataFrame], width: int = 1080) -> Figure:
    """Draw validation accuracy (percent) by epoch for each training, by its name.

    `curves` have the columns epoch and val_accuracy. A training has a panel of its own; beyond
    MANY, the teachers of a data set share one, and so do its students of a distillation method.
    All panels have the same axes.
    """
    panels = _panels(curves)
    columns = max(1, min(len(panels), int((width - LEFT) // LEAST)))
    each = min(300.0, (width - LEFT) / columns)
    rows = -(-len(panels) // columns)
    figure, page = canvas.sheet(width, UNIT + rows * (TITLE + TALL) + BELOW)
    canvas.words(page, 4, 10, "validation accuracy (%)", size=8, soft=True)
    values = [value for curve in curves.values() for value in curve.val_accuracy]
    longest = max((int(curve.epoch.max()) for curve in curves.values()), default=1)
    for place, ((first, second), drawn) in enumerate(panels.items()):
        column, row = place % columns, place // columns
        left, top = LEFT + each * column, UNIT + row * (TITLE + TALL) + TITLE
        x = Scale(1, max(2, longest), left + 2, left + each - 22, whole=True)
        y = Scale(min(values), max(values), top + TALL - 4, top + 4)
        last = place + columns >= len(panels)
        canvas.words(page, left, top - 23, first, size=8, bold=True)
        canvas.words(page, left, top - 10, second, size=8, soft=True)
        canvas.up(page, y, x.start, x.end, "{:g}".format if column == 0 else canvas.silent)
        write, title = ("{:g}".format, "epoch") if last else (canvas.silent, "")
        canvas.across(page, x, y.end, y.start + 4, write, title, 45)
        for curve in drawn:
            xs, ys = [x(at) for at in curve.epoch], [y(at) for at in curve.val_accuracy]
            canvas.line(page, xs, ys, INK, 1.4, alpha=1 if len(drawn) == 1 else 0.4)
    return figure


def _panels(curves: Mapping[str, pd.DataFrame]) -> Panels:
    panels: Panels = {}
    for name, curve in curves.items():
        title = _titles(name) if len(curves) <= MANY else _kind(name)
        panels.setdefault(title, []).append(curve)
    if len(curves) <= MANY:
        return panels
    return {(first, f"{second}, n = {len(own)}"): own for (first, second), own in panels.items()}


def _parts(name: str) -> tuple[str, str, list[str], str]:
    """Return a training's data set, teacher, the student with its method, and its repeat."""
    data, teacher, *rest = name.split("-") if "-" in name else ("", name)
    again = rest.pop() if rest and REPEAT.fullmatch(rest[-1]) else ""
    return data, teacher, rest, again


def _titles(name: str) -> tuple[str, str]:
    """Return a training's name in two lines: the teacher, then the student and its method."""
    _, teacher, rest, again = _parts(name)
    *student, by = rest or [""]
    who = f"→ {'-'.join(student)}, {taught(by)}" if student else f"→ {by}" if by else "teacher"
    return f"{teacher} ({again})" if again else teacher, who


def _kind(name: str) -> tuple[str, str]:
    """Return what a training shares with others: its data set, and who learns from whom."""
    data, _, rest, _ = _parts(name)
    return dataset(data), f"students {taught(rest[-1])}" if rest else "teachers"

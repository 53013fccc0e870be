"""Accuracy per parameter of every network: a row a network, a mark a condition."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdprune.reporting.document.formats import dataset, taught
from kdprune.reporting.figures import canvas, frames
from kdprune.reporting.figures.canvas import Scale
from kdprune.reporting.figures.looks import Look
from kdprune.reporting.figures.style import SOFT

NARROW = 560  # pixels
ROW, HEAD, AXIS = 19, 30, 50  # pixels
TITLE = "accuracy (%) per ten million parameters, logarithmic"
SHORT = "% per 10 M parameters"


def dots(scored: pd.DataFrame, looks: Mapping[str, Look], width: int = 1080) -> Figure:
    """Draw each network's efficiency (percent per 1e7 parameters), a panel per group.

    A group are a data set's teachers, or its students by one distillation method; data sets stand
    side by side. The scale is shared, and logarithmic: efficiencies span orders of magnitude. The
    paper's figures 3, 4 and 6.
    """
    scored = scored[scored.efficiency > 0]
    sets = list(dict.fromkeys(scored.dataset))
    columns = 1 if width < NARROW else min(2, len(sets))
    shown = list(
        dict.fromkeys(look for name, look in looks.items() if name in set(scored.condition))
    )
    groups = _groups(scored, sets, columns)
    each = width / columns
    labels = max(canvas.length(name, 8.5) for name in set(_named(scored).network)) + 18
    above = width < NARROW or labels > each / 2  # names stand above their rows
    labels, pitch = (8, ROW + 14) if above else (labels, ROW)
    heights = [HEAD + AXIS + pitch * max(map(_rows, beside)) for beside in groups]
    key = 18 * (1 + int(sum(canvas.length(item.name) + 46 for item in shown) // width)) + 6
    figure, page = canvas.sheet(width, key + sum(heights))
    canvas.legend(page, 4, 12, width - 8, shown)
    spread = float(scored.efficiency.min()) / 1.15, float(scored.efficiency.max()) * 1.15
    top = key
    for beside, high in zip(groups, heights, strict=True):
        for place, part in enumerate(beside):
            if len(part):
                scale = Scale(*spread, each * place + labels, each * (place + 1) - 24, log=True)
                _panel(page, part, looks, scale, top + HEAD, each * place, pitch)
        top += high
    return figure


def _groups(scored: pd.DataFrame, sets: Sequence[str], columns: int) -> list[list[pd.DataFrame]]:
    """Return lines of tables: what stands side by side."""
    kinds = scored[["role", "distill"]].drop_duplicates()
    kinds = kinds.sort_values("role", kind="stable")  # students first
    lines = []
    for role, by in kinds.itertuples(index=False, name=None):
        part = scored[(scored.role == role) & (scored.distill == by)]
        tables = [part[part.dataset == name] for name in sets]
        lines += [tables[at : at + columns] for at in range(0, len(tables), columns)]
    return [line for line in lines if any(map(len, line))]


def _rows(part: pd.DataFrame) -> int:
    return len(part[["teacher", "student"]].drop_duplicates())


def _named(part: pd.DataFrame) -> pd.DataFrame:
    return frames.with_network_names(part.assign(distill=""))


def _panel(
    page: Axes,
    part: pd.DataFrame,
    looks: Mapping[str, Look],
    scale: Scale,
    top: float,
    left: float,
    pitch: float,
) -> None:
    row = part.iloc[0]
    count = _rows(part)
    bottom = top + pitch * count
    above = pitch > ROW
    who = f"students {taught(row.distill)}" if row.role == "student" else "teachers"
    canvas.words(
        page, left + 4, top - 14, f"{dataset(row.dataset)}, {who} (n = {count})", bold=True
    )
    title = TITLE if canvas.length(TITLE) < scale.end - scale.start else SHORT
    canvas.across(page, scale, top, bottom, lambda value: f"{value:,.0f}", title, 50)
    named = _named(part)
    values: dict[str, dict[str, float]] = {}
    for network, condition, value in zip(
        named.network, named.condition, named.efficiency, strict=True
    ):
        values.setdefault(network, {})[condition] = value
    best = named.groupby("network").efficiency.max().sort_values(ascending=False)
    for number, name in enumerate(best.index):
        middle = top + pitch * (number + 1) - ROW / 2
        mine = values[name]
        at = {condition: scale(mine[condition]) for condition in looks if condition in mine}
        canvas.line(page, [min(at.values()), max(at.values())], [middle] * 2, SOFT, 1.0, alpha=0.6)
        for condition, x in at.items():
            canvas.mark(page, x, middle, looks[condition], 6)
        if above:
            canvas.words(page, left + 4, middle - 15, name, size=8.5, over=True)
        else:
            canvas.words(page, scale.start - 10, middle, name, size=8.5, anchor="right")

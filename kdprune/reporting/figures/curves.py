"""Accuracy against what is left: small multiples on shared axes, a row a teacher."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from kdprune.records import IDENTITY
from kdprune.reporting.document.formats import dataset, size, taught
from kdprune.reporting.figures import canvas, frames
from kdprune.reporting.figures.canvas import Scale
from kdprune.reporting.figures.looks import Look
from kdprune.reporting.figures.style import PAPER

NARROW, ALONE = 560, 320  # pixels: a page; the panel of a study of one network
TALL, TITLE, LEFT, BELOW, UNIT = 118, 46, 40, 42, 14  # pixels: a panel, what is around it
BOLD = 9.5  # points: as wide as bold letters of 8.5
NORMAL = 1.96  # 95 % of a normal distribution lie within so many standard errors
NOTES = (
    "band: 95 % of what other test images and seeds would give",
    "large mark: breakpoint; bar at the bottom: its interval",
)


def curves(
    sweeps: pd.DataFrame, breakpoints: pd.DataFrame, looks: Mapping[str, Look], width: int = 1080
) -> Figure:
    """Draw mean test accuracy (percent) against the share of parameters left, for each network.

    A row is a teacher of a data set with its students, by distillation method. Students whose
    teachers were not swept fill rows of their own. All panels have the same axes. The paper's
    figures 1 and 2.
    """
    shelves = _shelves(sweeps)
    narrow = width < NARROW
    columns = max(map(len, shelves.values()), default=1)
    several = len(set(sweeps.dataset)) > 1  # each panel has to name its own
    columns = min(columns, 2 if narrow else 3 if several else max(3, int((width - LEFT) // 190)))
    lines = [
        networks[at : at + columns]
        for networks in shelves.values()
        for at in range(0, len(networks), columns)
    ]
    alone = sum(map(len, lines)) == 1
    tall = ALONE if alone else TALL
    each = float(width - LEFT) if alone else min(330.0, (width - LEFT) / columns)
    shown = [look for name, look in looks.items() if name in set(sweeps.method)]
    key = 18 * (2 + sum(canvas.length(item.name) + 46 for item in shown) // width + 2 * narrow)
    key += UNIT
    figure, page = canvas.sheet(width, key + len(lines) * (TITLE + tall) + BELOW)
    canvas.legend(page, 4, 12, width - 8, shown, *NOTES)
    canvas.words(page, 4, key - 2, "test accuracy (%)", size=8, soft=True)
    images = frames.images_of(sweeps)
    table, found = _summarised(sweeps, images), frames.at_ends(breakpoints, sweeps)
    low, high = _span(table)
    own = dict(list(table.groupby(IDENTITY)))
    swept = _swept(own)
    at: dict[Network, list[dict[str, Any]]] = {}
    for row in found.to_dict("records"):
        at.setdefault(tuple(row[name] for name in IDENTITY), []).append(row)
    for number, networks in enumerate(lines):
        top = key + number * (TITLE + tall) + TITLE
        last = networks is lines[-1]
        for place, network in enumerate(networks):
            left = LEFT + each * place
            x = Scale(0, 100, left + each - 22, left + 4)  # pruning goes to the right
            y = Scale(low, high, top + tall - 4, top + 4)
            beside = last or len(lines[number + 1]) <= place
            known = own[network], at.get(network, [])
            _panel(page, network, known, looks, x, y, first=place == 0, last=beside)
            lone = (network[0], network[2]) not in swept
            _title(page, network, x, y, float(known[0].dense.max()), lone=lone)
    return figure


Network = tuple[str, ...]  # the values of IDENTITY


def _shelves(sweeps: pd.DataFrame) -> dict[tuple[str, ...], list[Network]]:
    """Return the networks of each shelf: a teacher and its students, or students without theirs."""
    every = list(sweeps[IDENTITY].drop_duplicates().itertuples(index=False, name=None))
    swept = _swept(every)
    shelves: dict[tuple[str, ...], list[Network]] = {}
    for network in every:
        name, role, teacher, _, by = network
        if role == "student":
            beside = teacher if (name, teacher) in swept else ""
            shelves.setdefault((name, beside, by), []).append(network)
    teachers = [network for network in every if network[1] == "teacher"]
    seen = set()
    for key in list(shelves):
        own = [item for item in teachers if (item[0], item[2]) == key[:2] and item not in seen]
        shelves[key] = [*own, *shelves[key]]
        seen |= set(own)
    alone = [item for item in teachers if item not in seen]
    return shelves | {(item[0], item[2], ""): [item] for item in alone}


def _swept(networks: Iterable[Network]) -> set[tuple[str, str]]:
    """Return the teachers among `networks`, each with its data set."""
    return {(name, teacher) for name, role, teacher, *_ in networks if role == "teacher"}


def _summarised(sweeps: pd.DataFrame, images: Mapping[str, int]) -> pd.DataFrame:
    """Return means per network, method and level, with `left` (percent) and a standard error."""
    keys = [*IDENTITY, "method", "level"]
    grouped = sweeps.groupby(keys, sort=False)
    table = grouped[["nonzero_params", "test_accuracy"]].mean()
    table["spread"] = grouped.test_accuracy.std().fillna(0)
    table = table.reset_index()
    curve = [*IDENTITY, "method"]
    table["dense"] = table.groupby(curve).nonzero_params.transform("max")
    table["left"] = 100 * table.nonzero_params / table.dense
    drawn = table.dataset.map(images).to_numpy(float)
    accuracy, spread = table.test_accuracy.to_numpy(float), table.spread.to_numpy(float)
    return table.assign(error=NORMAL * frames.sampled(accuracy, spread, drawn))


def _span(table: pd.DataFrame) -> tuple[float, float]:
    low = float((table.test_accuracy - table.error).min())
    high = float((table.test_accuracy + table.error).max())
    room = 0.12 * (high - low)  # for the intervals at the bottom
    return max(0.0, low - room), min(100.0, high + 1)


def _panel(
    page: Axes,
    network: Network,
    tables: tuple[pd.DataFrame, list[dict[str, Any]]],
    looks: Mapping[str, Look],
    x: Scale,
    y: Scale,
    *,
    first: bool,
    last: bool,
) -> None:
    own, found = tables
    canvas.up(page, y, x.end - 4, x.start, "{:g}".format if first else canvas.silent)
    canvas.across(
        page,
        x,
        y.end,
        y.start + 4,
        "{:g}".format if last else canvas.silent,
        "parameters left (%)" if last else "",
        45,
    )
    drawn = [name for name in looks if name in set(own.method)]
    by_method = dict(list(own.sort_values("left").groupby("method")))
    for name in drawn:
        _curve(page, by_method[name], looks[name], x, y)
    for place, name in enumerate(drawn):
        floor = y.start - 3 - 5 * (len(drawn) - 1 - place)
        own_marks = [row for row in found if row["method"] == name]
        _breakpoint(page, own_marks, looks[name], x, y, floor)


def _title(page: Axes, network: Network, x: Scale, y: Scale, params: float, *, lone: bool) -> None:
    """Write what a panel shows; of a `lone` student, no panel shows the teacher."""
    name, role, teacher, student, by = network
    room, whole = x.start - x.end, f"{teacher} → {student}"
    how = "teacher" if role == "teacher" else f"student {taught(by)}"
    short = f"{role}, {size(params)}", size(params)
    bold = teacher if role == "teacher" else f"→ {student}"
    if role == "student" and lone and canvas.length(whole, BOLD) <= room:
        bold = whole
    elif role == "student" and lone:
        how, short = f"of {teacher}", (f"of {teacher}", teacher)
    canvas.words(page, x.end - 4, y.end - 29, bold, size=8.5, bold=True)
    text = f"{how}, {size(params)}"
    texts = f"{dataset(name)}, {text} parameters", f"{dataset(name)}, {text}", text, *short
    said = canvas.fitting(room, 8, *texts)
    canvas.words(page, x.end - 4, y.end - 15, said, size=8, soft=True)


def _curve(page: Axes, curve: pd.DataFrame, look: Look, x: Scale, y: Scale) -> None:
    xs = [x(value) for value in curve.left]
    low = [y(value) for value in curve.test_accuracy - curve.error]
    high = [y(value) for value in curve.test_accuracy + curve.error]
    corners = list(zip([*xs, *xs[::-1]], [*low, *high[::-1]], strict=True))
    page.add_artist(Polygon(corners, color=look.colour, alpha=0.16, linewidth=0))
    means = [y(value) for value in curve.test_accuracy]
    canvas.line(page, xs, means, look.colour, 1.5, look.dash)


def _breakpoint(
    page: Axes, found: Sequence[Mapping[str, Any]], look: Look, x: Scale, y: Scale, floor: float
) -> None:
    """Ring the breakpoint on its curve, and draw its interval at the bottom of the panel."""
    for row in found:
        dense = row["dense_params"]
        at = x(100 * row["nonzero_params"] / dense), y(row["test_accuracy"])
        ends = [100 * row[f"params_{end}"] / dense for end in ("low", "high")]
        if not np.isnan(ends).any():
            canvas.line(page, [x(end) for end in ends], [floor] * 2, look.colour, 2.4, alpha=0.75)
        canvas.mark(page, *at, look, 7, PAPER)

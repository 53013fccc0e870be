"""What each layer lost at the breakpoint, as a heat map: a strip a network and pruning."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from kdprune.records import IDENTITY
from kdprune.reporting.document.formats import dataset, distiller
from kdprune.reporting.figures import canvas, frames
from kdprune.reporting.figures.looks import Look
from kdprune.reporting.figures.style import WASH

NARROW = 560  # pixels
STRIP, AIR, HEAD, BELOW = 11, 9, 28, 30  # pixels
BINS = 20  # strips of deeper networks join layers: a cell is at least some pixels wide
STEPS = 8  # shades
AT_ONCE = 4  # pixels between a strip's mark and its first cell


def heat(
    layers: pd.DataFrame, breakpoints: pd.DataFrame, looks: Mapping[str, Look], width: int = 1080
) -> Figure:
    """Draw the share of weights that each layer lost at the breakpoint; the fuller, the more.

    Strips go from the input to the output; layers of networks with more than BINS are joined by
    weights. The paper's figure 5.
    """
    at = frames.removed_at_breakpoints(layers, breakpoints)
    parts = list(at.groupby(IDENTITY, sort=False))
    shown = [look for name, look in looks.items() if name in set(at.method)]
    names = [_name(identity, at) for identity, _ in parts]
    labels = max([canvas.length(name, 8.5) for name in names], default=0) + 34
    narrow = width < NARROW or labels > width / 2
    labels = 22.0 if narrow else labels
    tall = [STRIP * part.method.nunique() + AIR + (16 if narrow else 0) for _, part in parts]
    key = 18 * (1 + int(sum(canvas.length(item.name) + 46 for item in shown) // width))
    figure, page = canvas.sheet(width, key + HEAD + sum(tall) + BELOW)
    canvas.legend(page, 4, 12, width - 8, shown)
    _shades(page, key + 12, shown[:2] or [])
    top = float(key + HEAD)
    for (_, part), name, high in zip(parts, names, tall, strict=True):
        if narrow:
            canvas.words(page, 4, top + 8, name, size=8.5)
        else:
            middle = top + (high - AIR) / 2
            canvas.words(page, labels - 24, middle, name, size=8.5, anchor="right")
        strips = [item for item in looks if item in set(part.method)]
        by_method = dict(list(part.groupby("method")))
        for number, method in enumerate(strips):
            y = top + 16 * narrow + STRIP * number
            canvas.mark(page, labels - 9, y + STRIP / 2, looks[method], 4)
            cells = _cells(by_method[method])
            _strip(page, cells, looks[method], labels + AT_ONCE, width - 8, y)
        top += high
    canvas.words(page, labels + AT_ONCE, top + 10, "input", size=8, soft=True)
    canvas.words(page, width - 8, top + 10, "output", size=8, soft=True, anchor="right")
    return figure


def _name(identity: tuple[str, ...], table: pd.DataFrame) -> str:
    name, _, teacher, student, by = identity
    told = f"{teacher} → {student}" if student else f"{teacher} (teacher)"
    more = [dataset(name)] * (len(set(table.dataset)) > 1)
    more += [distiller(by)] * (bool(by) and len(set(table.distill) - {""}) > 1)
    return ", ".join([told, *more])


def _cells(part: pd.DataFrame) -> np.ndarray:
    """Return the share that was removed of each layer, of joined layers where there are many."""
    weights, left = part.params.to_numpy(float), part.nonzero_params.to_numpy(float)
    pieces = np.array_split(np.arange(len(part)), min(BINS, len(part)))
    return np.array([1 - left[piece].sum() / weights[piece].sum() for piece in pieces])


def _strip(page: Axes, cells: np.ndarray, look: Look, start: float, end: float, top: float) -> None:
    edges = np.linspace(start, end, len(cells) + 1)
    shades = np.ceil(np.clip(cells, 0, 1) * STEPS - 1e-9).astype(int)
    ground = Rectangle((start, top), end - start, STRIP - 2, color=WASH, linewidth=0)
    page.add_artist(ground)
    for shade in range(1, STEPS + 1):
        runs = [(first, last) for value, first, last in _runs(shades) if value == shade]
        boxes = [_box(edges[first], edges[last], top) for first, last in runs]
        if boxes:
            whole = Path.make_compound_path(*boxes)
            page.add_artist(PathPatch(whole, color=look.colour, alpha=shade / STEPS, linewidth=0))


def _runs(shades: np.ndarray) -> list[tuple[int, int, int]]:
    """Return runs of equal shades: the shade, its first cell, and the cell after its last."""
    ends = [*(np.flatnonzero(np.diff(shades)) + 1).tolist(), len(shades)]
    return [
        (int(shades[first]), first, last) for first, last in zip([0, *ends[:-1]], ends, strict=True)
    ]


def _box(left: float, right: float, top: float) -> Path:
    low = top + STRIP - 2
    corners = [(left, top), (right, top), (right, low), (left, low), (left, top)]
    return Path(np.round(corners, 1), closed=True)


def _shades(page: Axes, y: float, looks: list[Look]) -> None:
    """Draw what the shades stand for, a row for each of `looks`."""
    canvas.words(page, 4, y, "weights removed: 0 %", size=8, soft=True)
    at = 8 + canvas.length("weights removed: 0 %", 8)
    tall = 10 / max(1, len(looks))
    for number in range(STEPS + 1):
        for place, look in enumerate(looks):
            colour, alpha = (look.colour, number / STEPS) if number else (WASH, 1)
            top = y - 5 + tall * place
            low = top + tall - 1
            page.fill([at, at + 12, at + 12, at], [top, top, low, low], color=colour,
                      alpha=alpha, linewidth=0)  # fmt: skip
        at += 12
    canvas.words(page, at + 5, y, "100 %", size=8, soft=True)

"""How all figures look, and how they are saved."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdprune.files import replacing

# Okabe & Ito's colours, told apart with any colour vision; the same meaning in every figure
COLOURS = {
    "weight": "#0072B2",
    "channel": "#D55E00",
    "distilled": "#009E73",
    "teacher": "#7F7F7F",
}
NAMES = {
    "weight": "weight pruning",
    "channel": "channel pruning",
    "distilled": "distilled, unpruned",
    "teacher": "teacher, unpruned",
}
STYLE = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100,
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "kdprune",  # the same figure, the same bytes
}


def save(figure: Figure, path: str | Path) -> None:
    """Save as SVG, or what the suffix says; the same figure gives the same bytes."""
    with mpl.rc_context(STYLE), replacing(path) as temporary:
        kind = Path(path).suffix.lstrip(".")
        figure.savefig(temporary, format=kind, metadata={"Date": None}, bbox_inches="tight")


def panels(
    count: int,
    note: str = "",
    *,
    columns: int = 3,
    width: float | None = None,
    height: float = 2.8,
) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels, at most `columns` in a row; surplus ones are removed."""
    across = min(columns, count)
    down = -(-count // across)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width or 3.7 * across, height * down), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False)
    axes = list(grid.flat)
    for surplus in axes[count:]:
        surplus.remove()
    if note:
        figure.supxlabel(note, fontsize=8)
    return figure, axes[:count]


def legend(figure: Figure, axes: list[Axes], extra: str = "") -> None:
    """Put one legend for all `axes` above the figure, each entry once."""
    entries: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    with mpl.rc_context(STYLE):
        figure.legend(
            entries.values(),
            entries.keys(),
            loc="outside upper center",
            ncols=len(entries) or 1,
            title=extra or None,
        )

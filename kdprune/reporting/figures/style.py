"""How all figures look, and how they are saved: one SVG that suits light and dark pages."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from kdprune.files import replacing
from kdprune.reporting.figures.svg import PAPER, compact

INK, SOFT, LINE, WASH = "#1c1e21", "#5a6068", "#c9cdd3", "#eef1f4"
# What each colour becomes on a dark page. Keys are those of `looks` and of this file.
DARK = {
    INK: "#e4e6e9",
    SOFT: "#a0a7b0",
    LINE: "#444a52",
    PAPER: "#15171a",
    WASH: "#22272d",
    "#0072b2": "#5fb8f0",
    "#d55e00": "#ff9a56",
    "#00805b": "#3fd0a0",
    "#a03d83": "#e58fca",
    "#7a6a00": "#dcc64a",
    "#b3243f": "#ff8a98",
    "#4a4fb8": "#a9adff",
    "#7b4a1e": "#d9a066",
    "#00778a": "#5cd3e6",
    "#6a7078": "#a6acb5",
}
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "figure.dpi": 96,
    "figure.facecolor": "none",
    "font.size": 9,
    "grid.color": LINE,
    "grid.alpha": 0.55,
    "grid.linewidth": 0.6,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "kdprune",  # the same figure, the same bytes
    "text.color": INK,
    "xtick.color": LINE,
    "xtick.labelcolor": SOFT,
    "xtick.labelsize": 8,
    "ytick.color": LINE,
    "ytick.labelcolor": SOFT,
    "ytick.labelsize": 8,
}


def save(figure: Figure, path: str | Path) -> None:
    """Save as SVG, or what the suffix says; the same figure gives the same bytes."""
    kind = Path(path).suffix.lstrip(".")
    with mpl.rc_context(STYLE), replacing(path) as temporary:
        figure.savefig(temporary, format=kind, metadata={"Date": None})
        if kind == "svg":
            text = temporary.read_text(encoding="utf-8")
            temporary.write_text(compact(text, DARK), encoding="utf-8", newline="\n")

"""The one figure that answers to the reader: accuracy against size, of every network and level."""

import pandas as pd

from kdprune.analysis.sizes import plain
from kdprune.reporting.document.blocks import Chart, Section
from kdprune.reporting.document.formats import (
    condition,
    counted,
    dataset,
    listed,
    network,
    taught,
)
from kdprune.reporting.figures.frames import CURVE
from kdprune.reporting.figures.looks import looks
from kdprune.reporting.figures.pareto import TEACHERS, spec

TITLE = "Explore"
AXES = {
    "parameters (millions)": "params",
    "megabytes, as plain numbers": "megabytes",
    "multiply-adds (millions)": "macs",
}


def section(
    sweeps: pd.DataFrame, breakpoints: pd.DataFrame, layers: pd.DataFrame | None = None
) -> Section | None:
    """Return the section; None where nothing was pruned. With `layers`, bytes are an axis, too."""
    if sweeps.empty:
        return None
    known = looks(sweeps.method)
    rows = table(sweeps, breakpoints, layers)
    finding = unbeaten(rows)
    caption = (
        f"{finding} The grey line joins them. Each line is a network by one pruning, each point a "
        "level, each large mark a breakpoint. Up and to the left is better. Choose above the chart "
        "what size means. Point at a mark for its numbers, click it to follow one network, "
        "double-click to see all."
    )
    axes = {name: column for name, column in AXES.items() if column in rows}
    return Section(
        TITLE, [Chart("Every network at every level", caption, finding, spec(rows, known, axes))]
    )


def unbeaten(rows: pd.DataFrame) -> str:
    """Say how many networks none beats in parameters and accuracy, and how they were pruned."""
    ways: list[str] = []
    for _, part in rows.groupby("set", sort=False):
        one = part.sort_values(["params", "accuracy"], ascending=[True, False])
        best = one.accuracy.cummax().shift(fill_value=-1.0)
        first = one[one.accuracy > best]
        ways += list(("by " + first.pruning).where(first.level > 0, "unpruned"))
    ordered = sorted(dict.fromkeys(ways), key=ways.count, reverse=True)
    each = [f"{ways.count(way)} {way}" for way in ordered]
    return (
        f"No other network is both smaller and more accurate than these "
        f"{counted(len(ways), 'network')}: {listed(each)}."
    )


def table(
    sweeps: pd.DataFrame, breakpoints: pd.DataFrame, layers: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return a row a curve and level: means over seeds, and whether it is the breakpoint."""
    figures = ["params", "nonzero_params", "macs", "test_accuracy"]
    means = sweeps.groupby([*CURVE, "level"], sort=False)[figures].mean().reset_index()
    marks = breakpoints[[*CURVE, "level"]].assign(broke=True)
    joined = means.merge(marks, on=[*CURVE, "level"], how="left")
    by = joined.distill.map(lambda name: taught(name) if name else TEACHERS)
    shown = pd.DataFrame(
        {
            "set": joined.dataset.map(dataset),
            "by": by,
            "network": joined.apply(network, axis=1),
            "curve": joined.groupby(CURVE, sort=False).ngroup(),
            "pruning": joined.method.map(condition),
            "level": (100 * joined.level).round(1),
            "params": (joined.nonzero_params / 1e6).round(4),
            "macs": (joined.macs / 1e6).round(3),
            "accuracy": joined.test_accuracy.round(2),
            "broke": joined.broke.notna().astype(int),
        }
    )
    if layers is None or layers.empty:
        return shown
    where = joined[[*CURVE, "level", "params", "nonzero_params"]]
    sized = where.merge(plain(where, layers), how="left")
    return shown.assign(megabytes=(sized.bytes.to_numpy() / 1e6).round(4))

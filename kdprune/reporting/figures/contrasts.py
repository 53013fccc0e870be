"""Every comparison of two prunings as one ratio with its interval."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdprune.analysis.efficiency import BEFORE
from kdprune.reporting.document.formats import (
    condition,
    dataset,
    is_missing,
    probability,
    short,
    taught,
)
from kdprune.reporting.figures import canvas
from kdprune.reporting.figures.canvas import Scale
from kdprune.reporting.figures.forest import times
from kdprune.reporting.figures.style import INK, SOFT

NARROW = 560  # pixels
ROW, HEAD, AXIS, NUMBERS = 23, 27, 46, 176  # pixels
TITLE = "ratio of accuracy per parameter, mean of the pairs"


def contrasts(compared: pd.DataFrame, confidence: float, width: int = 1080) -> Figure:
    """Draw a row per comparison of kdprune.analysis.significance, grouped by who was pruned.

    Filled diamonds are significant after Holm's correction, at 1 - `confidence`.
    """
    rows = _forward(compared[~compared.ratio.isna()] if len(compared) else compared)
    groups = list(rows.groupby(["dataset", "role", "distill"], sort=False))
    names = [f"{condition(row['first'])} ÷ {condition(row['second'])}" for row in _each(rows)]
    labels = max([canvas.length(name) for name in names], default=0) + 26
    narrow = width < NARROW or labels > width / 2
    labels = 6.0 if narrow else labels
    pitch = ROW + 15 * narrow
    tall = len(groups) * HEAD + len(rows) * pitch
    figure, page = canvas.sheet(width, HEAD + tall + AXIS)
    canvas.words(page, width - 8, 12, "ratio (interval)    p after Holm", size=8, soft=True,
                 anchor="right")  # fmt: skip
    scale = Scale(*_span(rows), labels + 6, width - NUMBERS - 24, log=True)
    canvas.across(page, scale, HEAD, HEAD + tall, times, TITLE if not narrow else "ratio", 40)
    canvas.line(page, [scale(1)] * 2, [HEAD, HEAD + tall], SOFT, 1.0)
    at = float(HEAD)
    for (name, role, by), part in groups:
        who = f"{dataset(name)}, " + (f"students {taught(by)}" if by else f"{role}s")
        middle = at + HEAD / 2
        canvas.words(page, 6, middle, who, size=8.5, bold=True, soft=True, over=narrow)
        at += HEAD
        for row in _each(part):
            _row(page, row, scale, at, labels, width, confidence, narrow)
            at += pitch
    return figure


def _forward(rows: pd.DataFrame) -> pd.DataFrame:
    """Turn comparisons of two prunings so that the one ahead comes first, as in the headline."""
    turned = (rows.ratio < 1) & ~rows["second"].isin(BEFORE.values())
    ends = {"ratio": "ratio", "ratio_low": "ratio_high", "ratio_high": "ratio_low"}
    inverse = {name: rows[name].where(~turned, 1 / rows[other]) for name, other in ends.items()}
    first, second = rows["first"], rows["second"]
    names = {"first": first.where(~turned, second), "second": second.where(~turned, first)}
    return rows.assign(**inverse, **names)


def _each(rows: pd.DataFrame) -> list[dict]:
    return rows.to_dict("records")


def _span(rows: pd.DataFrame) -> tuple[float, float]:
    values = [1.0, *rows.ratio]
    ends = [*values, *rows.ratio_low.dropna(), *rows.ratio_high.dropna()]
    low, high = max(min(ends), min(values) / 4), min(max(ends), max(values) * 4)
    return low / 1.08, high * 1.08


def _row(
    page: Axes,
    row: dict,
    scale: Scale,
    at: float,
    labels: float,
    width: float,
    confidence: float,
    narrow: bool,
) -> None:
    name = f"{condition(row['first'])} ÷ {condition(row['second'])}"
    if narrow:
        canvas.words(page, 6, at + 10, name, size=8.5, over=True)
    else:
        canvas.words(page, labels - 12, at + ROW / 2, name, anchor="right")
    middle = at + ROW / 2 + 14 * narrow
    middle_of = scale(row["ratio"])
    said = f"{short(row['ratio'])}×"
    if not is_missing(row["ratio_low"]):
        low, high = scale(row["ratio_low"]), scale(row["ratio_high"])
        safe = not is_missing(row["log_holm_p"]) and row["log_holm_p"] <= 1 - confidence
        canvas.line(page, [low, high], [middle] * 2, INK if safe else SOFT, 1.4)
        canvas.diamond(
            page, (middle_of - 6, middle_of, middle_of + 6), middle, INK if safe else SOFT
        )
        said += f" ({short(row['ratio_low'])} to {short(row['ratio_high'])})"
    else:
        canvas.diamond(page, (middle_of - 6, middle_of, middle_of + 6), middle, SOFT)
    canvas.words(page, width - 62, middle, said, size=8.5, anchor="right")
    canvas.words(page, width - 8, middle, _chance(row["log_holm_p"]), size=8.5, anchor="right")


def _chance(value: float) -> str:
    """Write p; the table holds the digits of what is below a thousandth."""
    return "<0.001" if value < 0.001 else probability(value)  # NaN is not below

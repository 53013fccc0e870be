"""The section of what the loss at the breakpoint is made of, as a table and as a chart of steps."""

from typing import Any

import pandas as pd

from kdprune.records import IDENTITY
from kdprune.reporting.document.blocks import Block, Chart, Format, Section, Text, table
from kdprune.reporting.document.formats import (
    capital,
    condition,
    counted,
    dataset,
    distiller,
    fixed,
    network,
    points,
)
from kdprune.reporting.figures.looks import looks
from kdprune.reporting.figures.style import DARK

STEPS = {
    "unpruned": "unpruned",
    "removed": "cut, and nothing else",
    "batchnorm": "batch norm anew",
    "head": "head tuned",
    "all": "all layers tuned",
    "self": "taught by itself",
    "scratch": "from scratch",
}
CURVE = [*IDENTITY, "method", "level"]
NOTE = (
    "Test accuracy of each network as its pruning cut it at the breakpoint (at the first level, "
    "where the curve broke at once), after each thing that can be done about it. Behind batch norm "
    "anew, each step begins with that network: its head tuned, all layers tuned on labels, all "
    "layers tuned on labels and on the unpruned network's outputs. From scratch is the cut network "
    "with fresh values, trained as long as the unpruned one, on labels. Every step is one run "
    "(n = 1 seed): differences of a point are within what seeds do."
)


def section(rows: pd.DataFrame | None) -> Section | None:
    """Return the section; None where nothing was taken apart."""
    if rows is None or rows.empty:
        return None
    wide = rows.pivot_table("test_accuracy", CURVE, "step", sort=False).reset_index()
    wide = wide.assign(
        network=wide.apply(network, axis=1),
        by=wide.distill.map(distiller),
        pruning=wide.method.map(condition),
        data=wide.dataset.map(dataset),
        lost=wide.removed - wide.unpruned,
        regained=wide["all"] - wide.removed,
        worth=wide["all"] - wide.scratch,
    )
    accuracy = fixed(2)
    columns: list[tuple[str, str, Format | None]] = [
        ("data", "Data set", None),
        ("network", "Network", None),
        ("by", "Distilled by", None),
        ("pruning", "Pruning", None),
        ("level", "Level", fixed(2, least=1)),
        *[(step, name.capitalize(), accuracy) for step, name in STEPS.items()],
        ("lost", "Lost by the cut", points),
        ("regained", "Won back by tuning all", points),
        ("worth", "Tuned − from scratch", points),
    ]
    caption = f"What the loss is made of (n = {counted(len(wide), 'curve')}), test accuracy in %"
    finding = _finding(wide)
    chart = Chart("Step by step", finding, finding, spec(rows))
    blocks: list[Block] = [Text(NOTE), Text(finding), table(wide, columns, caption), chart]
    return Section("What the loss at the breakpoint is made of", blocks)


def _finding(wide: pd.DataFrame) -> str:
    """Say the means over the curves of each pruning."""
    said = []
    for name, part in wide.groupby("method", sort=False):
        n = counted(len(part), "network")
        mean = part[["lost", *STEPS]].mean()
        said.append(
            f"{capital(condition(str(name)))} (means of {n}): the cut alone costs "
            f"{points(mean.lost)} points, batch norm gives back "
            f"{points(mean.batchnorm - mean.removed)}, the head "
            f"{points(mean['head'] - mean.batchnorm)}, all layers in its place "
            f"{points(mean['all'] - mean.batchnorm)}, taught by itself "
            f"{points(mean['self'] - mean.batchnorm)}; from scratch stands "
            f"{points(mean.scratch - mean['all'])} against all layers tuned."
        )
    return " ".join(said)


def spec(rows: pd.DataFrame) -> dict[str, Any]:
    """Return a Vega-Lite specification: a panel per network, a line of steps per pruning."""
    known = looks(rows.method)
    drawn = pd.DataFrame(
        {
            "network": rows.apply(_named, axis=1),
            "pruning": rows.method.map(condition),
            "step": rows.step.map(STEPS),
            "accuracy": rows.test_accuracy.round(2),
        }
    )
    names = [look.name for look in known.values()]
    colours = [look.colour for look in known.values()]
    return {
        "data": {
            "values": drawn.to_csv(index=False, lineterminator="\n"),
            "format": {"type": "csv", "parse": {"accuracy": "number"}},
        },
        "usermeta": {"dark": DARK},
        "mark": {"type": "line", "point": True},
        "width": 260,
        "height": 150,
        "encoding": {
            "facet": {"field": "network", "type": "nominal", "columns": 2, "title": None},
            "x": {"field": "step", "type": "ordinal", "sort": [*STEPS.values()], "title": None},
            "y": {
                "field": "accuracy",
                "type": "quantitative",
                "scale": {"zero": False},
                "title": "test accuracy (%)",
            },
            "color": {
                "field": "pruning",
                "type": "nominal",
                "scale": {"domain": names, "range": colours},
                "legend": {"title": None, "orient": "top"},
            },
            "tooltip": [{"field": name} for name in drawn],
        },
    }


def _named(row: Any) -> str:
    by = f", {distiller(row['distill'])}" if row["distill"] else ""
    return f"{network(row)} ({dataset(row['dataset'])}{by})"

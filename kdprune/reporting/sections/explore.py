"""The one figure that answers to the reader: accuracy against size, of every network and level."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdprune.reporting.document.blocks import Chart, Section
from kdprune.reporting.document.formats import condition, dataset, network, taught
from kdprune.reporting.figures.frames import CURVE
from kdprune.reporting.figures.looks import Look, looks
from kdprune.reporting.figures.style import DARK

TITLE = "Explore"
AXES = {"parameters (millions)": "params", "multiply-adds (millions)": "macs"}
SHAPES = {"o": "circle", "D": "diamond", "^": "triangle-up", "s": "square", "v": "triangle-down",
          "P": "cross", "X": "wedge", "<": "triangle-left", ">": "triangle-right"}  # fmt: skip
EVERY = "all"
NUMBERS = ("curve", "level", "params", "macs", "accuracy", "broke")
LEGEND = {"title": None, "orient": "top", "symbolSize": 90}


def section(sweeps: pd.DataFrame, breakpoints: pd.DataFrame) -> Section | None:
    """Return the section; None where nothing was pruned."""
    if sweeps.empty:
        return None
    known = looks(sweeps.method)
    caption = (
        "Each line is a network by one pruning, each point a level, each large mark a breakpoint. "
        "Point at a mark for its numbers, click it to follow one network, click an empty place to "
        "see all. Up and to the left is better."
    )
    rows = table(sweeps, breakpoints)
    finding = f"{rows.curve.nunique()} curves, {len(rows)} points."
    return Section(
        TITLE, [Chart("Every network at every level", caption, finding, spec(rows, known))]
    )


def table(sweeps: pd.DataFrame, breakpoints: pd.DataFrame) -> pd.DataFrame:
    """Return a row a curve and level: means over seeds, and whether it is the breakpoint."""
    figures = ["nonzero_params", "macs", "test_accuracy"]
    means = sweeps.groupby([*CURVE, "level"], sort=False)[figures].mean().reset_index()
    marks = breakpoints[[*CURVE, "level"]].assign(broke=True)
    joined = means.merge(marks, on=[*CURVE, "level"], how="left")
    by = joined.distill.map(lambda name: taught(name) if name else "teachers")
    return pd.DataFrame(
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


def spec(rows: pd.DataFrame, known: Mapping[str, Look]) -> dict[str, Any]:
    """Return a Vega-Lite specification; `usermeta` holds the colours of light and dark pages."""
    return {
        "data": {
            "values": rows.to_csv(index=False, lineterminator="\n"),
            "format": {"type": "csv", "parse": dict.fromkeys(NUMBERS, "number")},
        },
        "width": "container",
        "height": 380,
        "usermeta": {"dark": DARK},
        "params": [
            _choice("axis", "Size", list(AXES)),
            _choice("shown", "Data set", [EVERY, *dict.fromkeys(rows["set"])]),
            _choice("kind", "Networks", [EVERY, *dict.fromkeys(rows.by)]),
        ],
        "transform": [
            {"filter": f"shown == '{EVERY}' || datum.set == shown"},
            {"filter": f"kind == '{EVERY}' || datum.by == kind"},
            {
                "calculate": " : ".join(
                    f"axis == '{name}' ? datum.{column}" for name, column in AXES.items()
                )
                + " : 0",
                "as": "size",
            },
        ],
        "encoding": {
            "x": {
                "field": "size",
                "type": "quantitative",
                "scale": {"type": "log"},
                "axis": {"title": "size, logarithmic", "format": "~r", "tickCount": 8},
            },
            "y": {
                "field": "accuracy",
                "type": "quantitative",
                "scale": {"zero": False},
                "title": "test accuracy (%)",
            },
            "color": {
                **_scaled("pruning", [look.colour for look in known.values()], known),
                "legend": LEGEND,
            },
        },
        "layer": [_lines(known), _points(known)],
        "config": {"view": {"stroke": None}},
    }


def _choice(name: str, label: str, options: list[str]) -> dict[str, Any]:
    bound = {"input": "select", "options": options, "name": f"{label} "}
    return {"name": name, "value": options[0], "bind": bound}


def _scaled(field: str, range_: list[Any], known: Mapping[str, Look]) -> dict[str, Any]:
    names = [look.name for look in known.values()]
    return {"field": field, "type": "nominal", "scale": {"domain": names, "range": range_}}


def _lines(known: Mapping[str, Look]) -> dict[str, Any]:
    dashes = [
        [1, 0] if isinstance(look.dash, str) else list(look.dash[1]) for look in known.values()
    ]
    return {
        "mark": {"type": "line", "strokeWidth": 1.3},
        "encoding": {
            "detail": {"field": "curve"},
            "strokeDash": {**_scaled("pruning", dashes, known), "legend": LEGEND},
            "order": {"field": "size", "type": "quantitative"},
            "opacity": {"condition": {"param": "chosen", "value": 0.8}, "value": 0.07},
        },
    }


def _points(known: Mapping[str, Look]) -> dict[str, Any]:
    shapes = [SHAPES.get(look.marker, "circle") for look in known.values()]
    told = {
        "network": "network",
        "by": "trained",
        "set": "data set",
        "pruning": "pruning",
        "level": "level (%)",
        "accuracy": "test accuracy (%)",
        "params": "parameters (M)",
        "macs": "multiply-adds (M)",
    }
    chosen = {
        "type": "point",
        "fields": ["network", "set", "by"],
        "on": "click",
        "clear": "dblclick",
    }
    return {
        "params": [{"name": "chosen", "select": chosen}],
        "mark": {"type": "point", "filled": True},
        "encoding": {
            "shape": {**_scaled("pruning", shapes, known), "legend": LEGEND},
            "size": {"condition": {"test": "datum.broke == 1", "value": 130}, "value": 18},
            "opacity": {"condition": {"param": "chosen", "value": 1}, "value": 0.08},
            "tooltip": [{"field": field, "title": title} for field, title in told.items()],
        },
    }

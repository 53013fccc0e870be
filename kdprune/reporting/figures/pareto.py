"""The chart that answers to the reader: accuracy against a size of choice, and who is unbeaten.

It is a specification for Vega-Lite, which the report holds.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdprune.reporting.figures.looks import Look
from kdprune.reporting.figures.style import DARK

SHAPES = {"o": "circle", "D": "diamond", "^": "triangle-up", "s": "square", "v": "triangle-down",
          "P": "cross", "X": "wedge", "<": "triangle-left", ">": "triangle-right"}  # fmt: skip
EVERY, TEACHERS = "all", "teachers"
MANY = 40  # curves, beyond which nobody follows one
NUMBERS = ("curve", "level", "accuracy", "broke")
GREY = "#888888"  # readable on both pages
AXIS = "size, logarithmic"  # explore.js puts the chosen one in its place
LEGEND = {"title": None, "orient": "top", "symbolSize": 90}


def spec(rows: pd.DataFrame, known: Mapping[str, Look], axes: Mapping[str, str]) -> dict[str, Any]:
    """Return a Vega-Lite specification of rows as `table` returns them.

    `axes` are the sizes to choose from, {what a reader sees: column}; `usermeta` holds the colours
    of light and dark pages. Of many curves, one data set and one kind of students are shown first.
    """
    many = rows.curve.nunique() > MANY
    kinds = list(dict.fromkeys(rows.by))
    sets = list(dict.fromkeys(rows["set"]))
    students = [kind for kind in kinds if kind != TEACHERS]
    return {
        "data": {
            "values": rows.to_csv(index=False, lineterminator="\n"),
            "format": {"type": "csv", "parse": dict.fromkeys([*NUMBERS, *axes.values()], "number")},
        },
        "width": "container",
        "height": 380,
        "usermeta": {"dark": DARK},
        "params": [
            _choice("axis", "Size", list(axes), next(iter(axes))),
            _choice("shown", "Data set", [EVERY, *sets], sets[0] if many else EVERY),
            _choice("kind", "Networks", [EVERY, *kinds], [*students, EVERY][0] if many else EVERY),
        ],
        "transform": [
            {"filter": f"shown == '{EVERY}' || datum.set == shown"},
            {"filter": f"kind == '{EVERY}' || datum.by == kind"},
            {
                "calculate": " : ".join(
                    f"axis == '{name}' ? datum.{column}" for name, column in axes.items()
                )
                + " : 0",
                "as": "size",
            },
        ],
        "encoding": {
            "x": {
                "field": "size",
                "type": "quantitative",
                "scale": {"type": "log", "nice": False, "padding": 16},
                "axis": {"title": AXIS, "format": "~r", "tickCount": 8},
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
        "layer": [_frontier(), _lines(known), _points(known, axes)],
        "config": {"view": {"stroke": None}},
    }


def _choice(name: str, label: str, options: list[str], first: str) -> dict[str, Any]:
    bound = {"input": "select", "options": options, "name": f"{label} "}
    return {"name": name, "value": first, "bind": bound}


def _scaled(field: str, range_: list[Any], known: Mapping[str, Look]) -> dict[str, Any]:
    names = [look.name for look in known.values()]
    return {"field": field, "type": "nominal", "scale": {"domain": names, "range": range_}}


def _frontier() -> dict[str, Any]:
    """Return the line of the networks that none beats in size and accuracy, a data set each."""
    best = {"op": "max", "field": "accuracy", "as": "best"}
    smaller = {"window": [best], "frame": [None, 0], "groupby": ["set"]}
    return {
        "transform": [
            {"filter": "isValid(datum.size) && datum.size > 0"},
            {**smaller, "sort": [{"field": "size", "order": "ascending"}]},
            {"filter": "datum.accuracy >= datum.best"},
        ],
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 7, "opacity": 0.3},
        "encoding": {
            "color": {"value": GREY},
            "detail": {"field": "set"},
            "order": {"field": "size", "type": "quantitative"},
        },
    }


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
            "opacity": {"condition": {"param": "chosen", "value": 0.6}, "value": 0.07},
        },
    }


def _points(known: Mapping[str, Look], axes: Mapping[str, str]) -> dict[str, Any]:
    shapes = [SHAPES.get(look.marker, "circle") for look in known.values()]
    told = {
        "network": "network",
        "by": "trained",
        "set": "data set",
        "pruning": "pruning",
        "level": "level (%)",
        "accuracy": "test accuracy (%)",
        **{column: name for name, column in axes.items()},
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

"""Reads the tables that the grid names, never what merely lies in a folder."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kdprune.analysis import check
from kdprune.config.params import Params
from kdprune.errors import KdpruneError
from kdprune.records import identity, read_json
from kdprune.study import checked, paths, trajectories
from kdprune.study.numbers import numbers

SWEEP = ["ratio", "sparsity", "params", "nonzero_params", "macs", "val_accuracy", "test_accuracy"]
TRAINED = ["params", "encoder_params", "paper_params", "macs", "val_accuracy", "test_accuracy"]


def sweeps(params: Params) -> pd.DataFrame:
    """Return all sweeps of the grid as one table: each seed at each level, once.

    Raises KdpruneError for a file that is missing, incomplete, foreign, or of other parameters.
    """
    parts, columns = [], {"keys": ["seed", "level"], "numbers": SWEEP, "words": [checked.RIGHT]}
    told = trained_on_the_way()
    for key, item in params.grid["sweeps"].items():
        levels = trajectories.reached(told, item, params.prune.levels)
        wanted = {(seed, level) for seed in range(params.prune.seeds) for level in levels}
        frame = _part(paths.sweep(key), key, item, **columns)
        points = set(zip(frame.seed, frame.level, strict=True))
        _agree(paths.sweep(key), key, wanted, points, "seed and level")
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def layers(params: Params) -> pd.DataFrame:
    """Return what all sweeps left of each layer as one table; raises as `sweeps` does."""
    parts, keys, numbers = [], ["level", "layer", "kind"], ["params", "nonzero_params"]
    told = trained_on_the_way()
    for key, item in params.grid["sweeps"].items():
        columns = {"keys": keys, "numbers": numbers, "newer": ["reached_params"]}
        frame = _part(paths.layers(key), key, item, **columns)
        wanted = trajectories.reached(told, item, params.prune.levels)
        _agree(paths.layers(key), key, wanted, set(frame.level), "level")
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def trained_on_the_way() -> pd.DataFrame:
    """Return the levels of all trajectories; none for a study from before there was a table."""
    return _collected("trajectories")


def taken_apart() -> pd.DataFrame:
    """Return the steps of all attributions; none for a study from before there was a table."""
    return _collected("attribution")


def checkpoints(params: Params) -> pd.DataFrame:
    """Return one row per trained network, teachers and students.

    Raises KdpruneError where a training's result is missing or damaged.
    """
    return pd.DataFrame(
        [
            _trained(role, key, item)
            for role in ("teacher", "student")
            for key, item in params.grid[f"{role}s"].items()
        ]
    )


def results(params: Params) -> dict[str, pd.DataFrame]:
    """Return the tables that the report is made of, by the names that kdprune.reporting takes."""
    derive = {name: derived(name) for name in ("breakpoints", "efficiency", "significance")}
    for name in ("breakpoints", "efficiency"):
        _whole(name, derive[name], params)
    return {
        "sweeps": sweeps(params),
        **derive,
        "trained": checkpoints(params),
        "layers": layers(params),
        "codings": _collected("codings"),
    }


def learned(params: Params) -> dict[str, pd.DataFrame]:
    """Return the learning curve of every training."""
    keys = [*params.grid["teachers"], *params.grid["students"]]
    return {key: checked.read(paths.learning(key), "learning", "collect") for key in keys}


def derived(name: str, made_by: str = "") -> pd.DataFrame:
    """Return the table metrics/NAME.csv, checked as one of `checked.KINDS`."""
    return checked.read(paths.METRICS / f"{name}.csv", name, made_by or name)


def nested(frame: pd.DataFrame, keys: Iterable[str], values: Iterable[str]) -> dict[str, Any]:
    """Nest rows as dataset -> … -> figure, so that `dvc metrics diff` reads well.

    Figures are rounded to six significant digits; what is undefined is left out, for a metric is
    a number. Raises KdpruneError for an infinite one.
    """
    keys, values = list(keys), list(values)
    tree: dict[str, Any] = {}
    for row in frame.to_dict("records"):
        figures = {name: _figure(row[name]) for name in values}
        leaf = {name: value for name, value in figures.items() if value is not None}
        branch = tree
        for key in keys[:-1]:
            branch = branch.setdefault(str(row[key]), {})
        branch[str(row[keys[-1]])] = leaf
    return tree


def _figure(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, float):
        if math.isinf(value):
            raise KdpruneError("metrics: a figure is infinite; its row is in the CSV beside it")
        return float(f"{value:.6g}")
    return value.item() if hasattr(value, "item") else value


def _collected(name: str) -> pd.DataFrame:
    if (paths.METRICS / f"{name}.csv").exists():
        return derived(name, "collect")
    return pd.DataFrame(columns=checked.columns(name))


def _whole(name: str, frame: pd.DataFrame, params: Params) -> None:
    """Refuse a derived table that lacks the row of a sweep of the grid."""
    column = "method" if name == "breakpoints" else "condition"
    named = identity(frame)
    held = set(frame[[*named, column]].itertuples(index=False, name=None))
    sweeps = params.grid["sweeps"].items()
    wanted = {
        (*(item.get(part, "") for part in named), item["method"]): key for key, item in sweeps
    }
    if missing := [key for who, key in wanted.items() if who not in held]:
        path = (paths.METRICS / name).with_suffix(".csv")
        raise KdpruneError(f"{path}: has no row of {missing[0]}; run `dvc repro -f {name}`")


def _part(
    path: Path,
    key: str,
    item: Mapping[str, str],
    *,
    keys: list[str],
    numbers: list[str],
    words: Sequence[str] = (),
    newer: Sequence[str] = (),
) -> pd.DataFrame:
    """Read one sweep's table; refuse what the grid's sweep `item` can't have written.

    Of the columns, those of `newer` are not in tables from before there were any.
    """
    frame = checked.read(path, made_by="collect")
    numbers = [*numbers, *(name for name in newer if name in frame)]
    named = [*identity(item), "method"]
    check(frame, path, keys=[*named, *keys], numbers=numbers)
    _agree(path, key, {*named, *keys, *numbers, *words}, set(frame), "column")
    for name in named:
        _agree(path, key, {item[name]}, set(frame[name]), name)
    return frame


def _agree(path: Path, key: str, wanted: set, entries: set, what: str) -> None:
    for word, values in (("lacks", wanted - entries), ("has the foreign", entries - wanted)):
        if values:
            raise KdpruneError(
                f"{path}: {word} {what} {min(values)}; run `dvc repro collect`, which copies what "
                f"prune@{key} wrote"
            )


def _trained(role: str, key: str, item: Mapping[str, str]) -> dict[str, Any]:
    path = paths.training(role, key)
    remedy = "run `dvc repro collect`"
    try:
        result = read_json(path)
    except FileNotFoundError:
        raise KdpruneError(f"{path}: is not there; {remedy}") from None
    except (OSError, ValueError) as error:
        raise KdpruneError(f"{path}: is no JSON ({error}); delete it and {remedy}") from None
    if not isinstance(result, dict):
        raise KdpruneError(f"{path}: is no training's result; delete it and {remedy}")
    wanted = {name: item.get(name, "") for name in identity(item)} | {"role": role}
    for name, word in wanted.items():
        if result.get(name) != word:
            raise KdpruneError(f"{path}: {name} is not {word or 'empty'!r}; {remedy}")
    if words := [name for name in TRAINED if isinstance(result.get(name), str)]:
        raise KdpruneError(f"{path}: {words[0]} is a word, not a number; {remedy}")
    numbers(result, TRAINED, path)
    return result

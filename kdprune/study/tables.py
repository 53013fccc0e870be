"""Reads the tables that the grid names, never what merely lies in a folder."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kdprune.analysis import check
from kdprune.config.params import Params
from kdprune.errors import KdpruneError
from kdprune.records import IDENTITY, REPLICATE, identity, read_json
from kdprune.study import paths, trajectories

RIGHT = "val_right"  # a word, even where it looks like a number
WORDS = [*IDENTITY, RIGHT, "method", "condition", "first", "second", "reason", "layer", "kind"]
WORDS += ["coding", "note", REPLICATE]
SWEEP = ["ratio", "sparsity", "params", "nonzero_params", "macs", "val_accuracy", "test_accuracy"]


def read(path: Path, made_by: str = "") -> pd.DataFrame:
    """Read one CSV, numbers to the last bit; an empty word is the empty string, not missing.

    Raises KdpruneError, naming the stage `made_by`, where the file is missing or is no table.
    """
    remedy = f"run `dvc repro {made_by}".rstrip() + "`"
    try:
        frame = pd.read_csv(
            path,
            dtype=dict.fromkeys(WORDS, str),
            keep_default_na=False,  # a network may be called nan
            na_values=[""],
            float_precision="round_trip",
        )
    except FileNotFoundError:
        raise KdpruneError(f"{path}: is not there; {remedy}") from None
    except (OSError, ValueError) as error:  # ValueError: empty, ragged, not UTF-8
        reason = " ".join(str(error).split())
        raise KdpruneError(f"{path}: is no table ({reason}); delete it and {remedy}") from None
    return frame.fillna({name: "" for name in WORDS if name in frame})


def sweeps(params: Params) -> pd.DataFrame:
    """Return all sweeps of the grid as one table: each seed at each level, once.

    Raises KdpruneError for a file that is missing, incomplete, foreign, or of other parameters.
    """
    parts, columns = [], {"keys": ["seed", "level"], "numbers": SWEEP, "words": [RIGHT]}
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
        frame = _part(paths.layers(key), key, item, keys=keys, numbers=numbers)
        wanted = trajectories.reached(told, item, params.prune.levels)
        _agree(paths.layers(key), key, wanted, set(frame.level), "level")
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def trained_on_the_way() -> pd.DataFrame:
    """Return the levels of all trajectories; none for a study from before there was a table."""
    path = paths.TRAJECTORIES
    columns = [*trajectories.WHO, *trajectories.LEVEL]
    return read(path, "collect") if path.exists() else pd.DataFrame(columns=columns)


def checkpoints(params: Params) -> pd.DataFrame:
    """Return one row per trained network, teachers and students.

    Raises KdpruneError where a training's result is missing or damaged.
    """
    trained = [("teacher", key) for key in params.grid["teachers"]]
    trained += [("student", key) for key in params.grid["students"]]
    return pd.DataFrame([_trained(role, key) for role, key in trained])


def results(params: Params) -> dict[str, pd.DataFrame]:
    """Return the tables that the report is made of, by the names that kdprune.reporting takes."""
    return {
        "sweeps": sweeps(params),
        "breakpoints": read(paths.BREAKPOINTS.with_suffix(".csv"), "breakpoints"),
        "efficiency": read(paths.EFFICIENCY.with_suffix(".csv"), "efficiency"),
        "significance": read(paths.SIGNIFICANCE.with_suffix(".csv"), "significance"),
        "trained": checkpoints(params),
        "layers": layers(params),
        # a study from before there was such a table has none
        "codings": read(paths.CODINGS, "collect") if paths.CODINGS.exists() else pd.DataFrame(),
    }


def learned(params: Params) -> dict[str, pd.DataFrame]:
    """Return the learning curve of every training."""
    keys = [*params.grid["teachers"], *params.grid["students"]]
    return {key: read(paths.learning(key), "collect") for key in keys}


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


def _part(
    path: Path,
    key: str,
    item: Mapping[str, str],
    *,
    keys: list[str],
    numbers: list[str],
    words: Sequence[str] = (),
) -> pd.DataFrame:
    """Read one sweep's table; refuse what the grid's sweep `item` can't have written."""
    frame = read(path, "collect")
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


def _trained(role: str, key: str) -> dict[str, Any]:
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
    return result

"""Which times of earlier runs hold still: those of the parameters that dvc.lock has of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kdprune.config import nesting
from kdprune.running import study

PARAMS, LOCK = "params.yaml", Path("dvc.lock")
ABSENT = object()


def timed(
    needs: Mapping[str, Sequence[str]], params: Path, logs: Path, lock: Path = LOCK
) -> dict[str, float | None]:
    """Return each instance's seconds, as last run under the parameters in the file `params`.

    None where it has not run, or where its own parameters or those of what it needs were others:
    a student of four epochs says nothing of one of sixteen, nor 4,000 images of 45,000.
    """
    known = {name: study.timed(name, logs) for name in needs}
    if not any(known.values()):
        return known
    values, locked = _mapping(params), _mapping(lock).get("stages")
    held = locked if isinstance(locked, dict) else {}
    same: dict[str, bool] = {}
    for name, before in needs.items():  # what an instance needs stands before it
        same[name] = _same(held.get(name), values) and all(same.get(one) for one in before)
    return {name: seconds if same[name] else None for name, seconds in known.items()}


def _same(entry: object, values: Mapping[str, Any]) -> bool:
    """Say whether the parameters that an entry of dvc.lock names are those in `values`."""
    told = entry.get("params", {}) if isinstance(entry, dict) else None
    own = told.get(PARAMS, {}) if isinstance(told, dict) else None
    return isinstance(own, dict) and all(_at(values, key) == value for key, value in own.items())


def _at(values: object, key: str) -> object:
    for part in key.split("."):
        values = values.get(part, ABSENT) if isinstance(values, Mapping) else ABSENT
    return values


def _mapping(path: Path) -> dict[str, Any]:
    """Return the YAML mapping in a file, {} where there is none: then no time is believed."""
    try:
        held = nesting.parse(path.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return held if isinstance(held, dict) else {}

"""The tables of any finished study that one comparison is made of, from its folder alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from kdprune.analysis import alike, check
from kdprune.config import nesting
from kdprune.config.schema import Breakpoints
from kdprune.config.yaml_reading import Loader
from kdprune.errors import KdpruneError
from kdprune.records import identity
from kdprune.study import checked, paths

FILES = {
    "efficiency": paths.EFFICIENCY.with_suffix(".csv"),
    "breakpoints": paths.BREAKPOINTS.with_suffix(".csv"),
    "measured": paths.MEASURE,
    "codings": paths.CODINGS,
}

AT_ANY_LEVEL = ("layers", "codings")
POINT = ["method", "seed", "level"]
NUMBERS = ["nonzero_params", "val_accuracy", "test_accuracy"]


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """Return a study's tables by name: those of FILES that are there, and `layers` of all sweeps.

    Raises KdpruneError where there is no such folder, no efficiency in it, or a damaged table.
    """
    if not folder.is_dir():
        raise KdpruneError(f"{folder}: is no folder of a study; see `ls studies`")
    held = {
        name: checked.read(folder / file, file.stem, "efficiency" if name == "efficiency" else "")
        for name, file in FILES.items()
        if name == "efficiency" or (folder / file).exists()
    }
    if left := sorted((folder / paths.METRICS / "layers").glob("*.csv")):
        parts = [checked.read(path, "layers") for path in left]
        held["layers"] = pd.concat(parts, ignore_index=True)
    for name, table in held.items():
        absent = [part for part in identity(held["efficiency"]) if part not in table]
        if absent and not table.empty:
            raise KdpruneError(
                f"{folder}: {name}: has no column {absent[0]}, as the efficiencies have, so it is "
                "of another study; `python -m stages.runner.verify` tells what to run"
            )
    return held


def by_what_all_have(folders: Sequence[Path]) -> dict[Path, dict[str, pd.DataFrame]]:
    """Return the tables of studies, of the networks and levels that all of them have.

    They are `sweeps`, and what follows from these alone: `breakpoints`, `efficiency`; `layers` and
    `codings` are as they were, to be read at the breakpoints. Raises KdpruneError as `read`,
    `sweeps` and `rule`, and where nothing is in all.
    """
    cut = alike.shared({str(folder): sweeps(folder) for folder in folders})
    held = {}
    for folder in folders:
        kept = {name: table for name, table in read(folder).items() if name in AT_ANY_LEVEL}
        points = cut[str(folder)]
        held[folder] = {**kept, "sweeps": points, **alike.located(points, rule(folder))}
    return held


def sweeps(folder: Path) -> pd.DataFrame:
    """Return all sweeps of a study as one table. Raises KdpruneError where it has none."""
    held = sorted((folder / paths.METRICS / "sweeps").glob("*.csv"))
    if not held:
        raise KdpruneError(f"{folder}: holds no {paths.METRICS}/sweeps/*.csv; see `ls studies`")
    whole = pd.concat([checked.read(path) for path in held], ignore_index=True)
    check(whole, f"{folder}: sweeps", keys=[*identity(whole), *POINT], numbers=NUMBERS)
    return whole


def rule(folder: Path) -> dict[str, Any]:
    """Return by what rule a study finds breakpoints, whatever else its params.yaml holds.

    A frozen study may have fewer parameters than are known today, or others.
    """
    path = folder / "params.yaml"
    try:
        content = path.read_bytes()
        nesting.check(content)
        return Breakpoints.model_validate(yaml.load(content, Loader)["breakpoints"]).model_dump()
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise KdpruneError(f"{path}: holds no rule of breakpoints ({reason})") from None

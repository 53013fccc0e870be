"""The tables of any finished study that one comparison is made of, from its folder alone."""

from pathlib import Path

import pandas as pd

from kdprune.errors import KdpruneError
from kdprune.study import paths, tables

FILES = {
    "efficiency": paths.EFFICIENCY.with_suffix(".csv"),
    "breakpoints": paths.BREAKPOINTS.with_suffix(".csv"),
    "measured": paths.MEASURE,
    "codings": paths.CODINGS,
}


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """Return a study's tables by name: those of FILES that are there, and `layers` of all sweeps.

    Raises KdpruneError where there is no such folder, or no efficiency in it.
    """
    if not folder.is_dir():
        raise KdpruneError(f"{folder}: is no folder of a study; see `ls studies`")
    held = {
        name: tables.read(folder / file, "efficiency" if name == "efficiency" else "")
        for name, file in FILES.items()
        if name == "efficiency" or (folder / file).exists()
    }
    if left := sorted((folder / paths.METRICS / "layers").glob("*.csv")):
        held["layers"] = pd.concat(map(tables.read, left), ignore_index=True)
    return held

"""The tables of any finished study that one comparison is made of, from its folder alone."""

from pathlib import Path

import pandas as pd

from kdprune.errors import KdpruneError
from kdprune.study import checked, paths

FILES = {
    "efficiency": paths.EFFICIENCY.with_suffix(".csv"),
    "breakpoints": paths.BREAKPOINTS.with_suffix(".csv"),
    "measured": paths.MEASURE,
    "codings": paths.CODINGS,
}


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """Return a study's tables by name: those of FILES that are there, and `layers` of all sweeps.

    Raises KdpruneError where there is no such folder, no efficiency in it, or a damaged table.
    """
    if not folder.is_dir():
        raise KdpruneError(f"{folder}: is no folder of a study; see `ls studies`")
    held = {
        name: checked.read(folder / file, name, "efficiency" if name == "efficiency" else "")
        for name, file in FILES.items()
        if name == "efficiency" or (folder / file).exists()
    }
    if left := sorted((folder / paths.METRICS / "layers").glob("*.csv")):
        parts = [checked.read(path, "layers") for path in left]
        held["layers"] = pd.concat(parts, ignore_index=True)
    return held

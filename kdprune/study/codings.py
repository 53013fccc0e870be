"""The table metrics/codings.csv: what every coding of every network costs, in bytes and accuracy.

It is always there, for the report depends on it, and has no rows where nothing was compressed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from kdprune.records import IDENTITY, identity
from kdprune.study import gathering, paths

COLUMNS = [*IDENTITY, "method", "level", "params", "nonzero_params"]
COLUMNS += ["macs", "coding", "bytes", "fixed_bytes", "val_accuracy", "test_accuracy"]


def table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table of one sweep's networks, from a row per level and coding."""
    made = pd.DataFrame(rows).astype({"fixed_bytes": "Int64"})
    return made[[*identity(made), *COLUMNS[len(IDENTITY) :]]]


def gather(keys: Iterable[str]) -> None:
    """Write the tables of the compressions `keys` as one; raises as `gathering.gather` does."""
    made = [(f"compress@{key}", paths.coded(key) / "codings.csv") for key in keys]
    gathering.gather(paths.CODINGS, COLUMNS, made)

"""The table metrics/attribution.csv: what the loss at each breakpoint is made of.

It is always there, and has no rows where nothing was taken apart.
"""

from collections.abc import Iterable

import pandas as pd

from kdprune.records import IDENTITY, identity
from kdprune.study import gathering, paths

COLUMNS = [*IDENTITY, "method", "level", "step", "epochs", "val_accuracy", "test_accuracy"]


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the steps of one sweep's network in the order of its table."""
    return rows[[*identity(rows), *COLUMNS[len(IDENTITY) :]]]


def gather(keys: Iterable[str]) -> None:
    """Write the tables of the attributions `keys` as one; raises as `gathering.gather` does."""
    made = [(f"attribute@{key}", paths.attributed(key) / "attribution.csv") for key in keys]
    gathering.gather(paths.ATTRIBUTION, COLUMNS, made)

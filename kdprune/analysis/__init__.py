"""What follows from the sweeps: DataFrame to DataFrame, without torch."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from kdprune.errors import KdpruneError

SHARES = ("level", "ratio", "sparsity")
COUNTS = ("macs", "n", "n_seeds", "batch", "epochs", "step", "spent", "efficiency")
SIZES = ("params", "bytes")  # what names of more counts end in


def check(
    table: pd.DataFrame,
    name: object,
    *,
    keys: Sequence[str],
    numbers: Sequence[str],
    figures: Sequence[str] = (),
    unique: bool = True,
) -> None:
    """Refuse a table of which a figure would follow that is silently wrong, or missing.

    `keys` say what a row is about, and do so once where `unique`; `numbers` are all finite, and
    `figures` may be missing. Of all, accuracies are percent, shares 0 to 1, and counts no less than
    0. Raises KdpruneError, with `name` and the row at fault.
    """
    again = "run `dvc repro`, with -f where it finds nothing to do"
    absent = [column for column in [*keys, *numbers] if column not in table]
    if absent:
        raise KdpruneError(f"{name}: has no column {', '.join(absent)}; {again}")
    if table.empty:
        raise KdpruneError(f"{name}: has no rows; {again}")

    def refuse(wrong: pd.Series, problem: str) -> None:
        if wrong.any():
            first = table[wrong.to_numpy()].iloc[0]
            where = ", ".join(f"{key} {first[key]}" for key in keys if first[key] != "")
            raise KdpruneError(f"{name}: {problem} ({where}); {again}")

    for column in keys:
        refuse(table[column].isna(), f"{column} is empty")
    for column in numbers:
        values = pd.to_numeric(table[column], errors="coerce").astype(float)
        refuse(~np.isfinite(values), f"{column} holds no number")
    for column in (column for column in [*keys, *numbers, *figures] if column in table):
        low, high, said = _range(column)
        values = pd.to_numeric(table[column], errors="coerce").astype(float)
        refuse((values < low) | (values > high), f"{column} is {said}")
    if unique:
        refuse(table.duplicated(list(keys)), "a row is there twice")


def _range(column: str) -> tuple[float, float, str]:
    """Return the ends of what a column can hold, and what is said of what lies outside.

    Other columns, such as losses and differences, may hold any number.
    """
    if column.endswith("accuracy"):
        return 0, 100, "not within 0 to 100 percent"
    if column in SHARES or column.startswith("level_"):
        return 0, 1, "not within 0 to 1"
    if column in COUNTS or column.endswith(SIZES):
        return 0, math.inf, "below 0"
    return -math.inf, math.inf, ""

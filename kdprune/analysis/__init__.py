"""What follows from the sweeps: DataFrame to DataFrame, without torch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kdprune.errors import KdpruneError


def check(
    table: pd.DataFrame,
    name: object,
    *,
    keys: Sequence[str],
    numbers: Sequence[str],
    unique: bool = True,
) -> None:
    """Refuse a table of which a figure would follow that is silently wrong, or missing.

    `keys` say what a row is about, and do so once where `unique`; `numbers` are all finite, and
    accuracies among them percent. Raises KdpruneError, with `name` and the row at fault.
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
        if column.endswith("accuracy"):
            refuse(~values.between(0, 100), f"{column} is not within 0 to 100 percent")
    if unique:
        refuse(table.duplicated(list(keys)), "a row is there twice")

"""The table metrics/codings.csv: what every coding of every network costs, in bytes and accuracy.

It is always there, for the report depends on it, and has no rows where nothing was compressed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.records import IDENTITY
from kdprune.study import paths

COLUMNS = [*IDENTITY, "method", "level", "params", "nonzero_params"]
COLUMNS += ["macs", "coding", "bytes", "fixed_bytes", "val_accuracy", "test_accuracy"]
HEAD = ",".join(COLUMNS) + "\n"


def table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table of one sweep's networks, from a row per level and coding."""
    return pd.DataFrame(rows).astype({"fixed_bytes": "Int64"})[COLUMNS]


def gather(keys: Iterable[str]) -> None:
    """Write the tables of the compressions `keys` as one, line for line.

    Raises KdpruneError, and leaves the table as it was, where one is missing or has other columns.
    """
    texts = []
    for key in keys:
        made = paths.coded(key) / "codings.csv"
        text = made.read_text(encoding="utf-8") if made.is_file() else ""
        if not text.startswith(HEAD):
            told = "has other columns" if text else "is not there"
            raise KdpruneError(f"{made}: {told}; run `dvc pull`, or `dvc repro -f compress@{key}`")
        texts.append(text.removeprefix(HEAD))
    with replacing(paths.CODINGS) as temporary:
        temporary.write_text("".join([HEAD, *texts]), encoding="utf-8", newline="\n")

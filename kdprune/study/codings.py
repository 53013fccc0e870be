"""The table metrics/codings.csv: what every coding of every network costs, in bytes and accuracy.

It is always there, for the report depends on it, and has no rows where nothing was compressed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.records import IDENTITY, REPLICATE, identity
from kdprune.study import paths

COLUMNS = [*IDENTITY, "method", "level", "params", "nonzero_params"]
COLUMNS += ["macs", "coding", "bytes", "fixed_bytes", "val_accuracy", "test_accuracy"]
HEAD = ",".join(COLUMNS) + "\n"
REPLICATES = HEAD.replace("distill,", f"distill,{REPLICATE},")  # the head, where there are several


def table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table of one sweep's networks, from a row per level and coding."""
    made = pd.DataFrame(rows).astype({"fixed_bytes": "Int64"})
    return made[[*identity(made), *COLUMNS[len(IDENTITY) :]]]


def gather(keys: Iterable[str]) -> None:
    """Write the tables of the compressions `keys` as one, line for line.

    Raises KdpruneError, and leaves the table as it was, where one is missing or has other columns.
    """
    texts: list[str] = []
    first = HEAD
    for key in keys:
        made = paths.coded(key) / "codings.csv"
        text = made.read_text(encoding="utf-8") if made.is_file() else ""
        if not texts and text.startswith(REPLICATES):
            first = REPLICATES
        if not text.startswith(first):
            told = "has other columns" if text else "is not there"
            raise KdpruneError(f"{made}: {told}; run `dvc pull`, or `dvc repro -f compress@{key}`")
        texts.append(text.removeprefix(first))
    with replacing(paths.CODINGS) as temporary:
        temporary.write_text("".join([first, *texts]), encoding="utf-8", newline="\n")

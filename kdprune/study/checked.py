"""Tables of a finished study, held to what the answers that are read off them need."""

from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from kdprune.analysis import check
from kdprune.errors import KdpruneError
from kdprune.records import identity
from kdprune.study import tables

BYTES = ["dense_bytes", "zstd_bytes", "sparse_bytes"]
# Of each table, the columns that with a network's identity say what a row is about, and the numbers
NEEDED = {
    "efficiency": (["condition"], ["accuracy", "params", "efficiency"]),
    "breakpoints": (["method"], ["level", "params", "nonzero_params", "test_accuracy"]),
    "layers": (["method", "level", "layer"], ["params", "nonzero_params"]),
    "codings": (["method", "level", "coding"], ["bytes", "test_accuracy"]),
    "measured": (["method"], ["level", "batch", *BYTES]),
}
PAIRED = (["dataset", "role", "distill", "first", "second"], ["n"])  # significance: of no network
FIGURES = ["ratio", "ratio_low", "ratio_high", "p", "log_p", "cluster_p"]  # of it; may be undefined


def read(path: Path, kind: str, made_by: str = "") -> pd.DataFrame:
    """Read a table of a kind of NEEDED, or "significance", as `tables.read` does.

    Raises KdpruneError where a column is missing, a number is none, or a row is there twice: else a
    figure would follow that is silently of fewer networks. A table without rows may be right.
    """
    frame = tables.read(path, made_by)
    if frame.empty and kind != "efficiency":
        return frame
    keys, numbers = PAIRED
    if kind not in NEEDED:
        _check_figures(frame, path)
    else:
        more, numbers = NEEDED[kind]
        keys = [*identity(frame), *more]
    check(frame, path, keys=keys, numbers=numbers, unique=kind != "measured")
    return frame


def _check_figures(frame: pd.DataFrame, path: Path) -> None:
    for column in FIGURES:
        if column not in frame or not is_numeric_dtype(frame[column]):
            raise KdpruneError(
                f"{path}: column {column} is missing or holds a word; run `dvc repro significance`"
            )

"""What networks take in bytes at their breakpoints, and accuracy by byte: the same in every count.

A parameter that a mask zeroed takes room in a file, or a note that it is not there; one that was
cut out takes none. So equal counts of parameters are not equal files.
"""

import numpy as np
import pandas as pd

from kdprune.analysis.replicates import averaged
from kdprune.analysis.significance import compare
from kdprune.records import identity

FLOAT = 4  # bytes
MEGA = 1e6
FIGURES = ["efficiency", "each"]
SCORED = ["count", "params", "bytes", "accuracy", "efficiency"]
FLOATS = "float32"  # the count of `stored`


def stored(breakpoints: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Return what each network's parameters take in float32 at its breakpoint: a row per curve.

    Columns: those that name a curve, count, params (that are left), bytes, accuracy (test) and
    efficiency, percent per megabyte. Bytes are those of `plain`.
    """
    curve = [*identity(breakpoints), "method"]
    where = breakpoints[[*curve, "level", "params", "nonzero_params", "test_accuracy"]]
    return _finished(plain(where, layers).assign(count=FLOATS), "test_accuracy")


def plain(where: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Return `where`, rows of curves at levels, with the bytes of each as float32 numbers.

    `layers` is the table metrics/layers of all sweeps. A layer that lost weights in place has a bit
    for each place and 4 bytes for each weight left, or all in 4 bytes where that is less; the rest
    has 4 bytes a parameter. Buffers are left out. Rows that `layers` lacks are left out.
    """
    at = [*identity(where), "method", "level"]
    held = layers.rename(columns={"params": "all", "nonzero_params": "left"})
    joined = where.merge(held[[*at, "all", "left"]], on=at)
    masked = (joined.left < joined["all"]) & (joined.nonzero_params < joined.params)
    bits = np.ceil(joined["all"] / 8) + FLOAT * joined.left
    joined["saved"] = np.where(masked, np.maximum(0, FLOAT * joined["all"] - bits), 0)
    saved = joined.groupby(at, sort=False).saved.sum().reset_index()
    table = where.merge(saved, on=at)
    return table.assign(bytes=FLOAT * table.params - table.saved).drop(columns="saved")


def coded(breakpoints: pd.DataFrame, codings: pd.DataFrame) -> pd.DataFrame:
    """Return what each network takes in each coding at its breakpoint, from metrics/codings.csv.

    Columns as of `stored`; bytes are of files, accuracies of what was read from them. Of plain
    float32 `stored` tells, once for all studies: a file of it is no further count.
    """
    curve = [*identity(breakpoints), "method"]
    if codings.empty:
        return pd.DataFrame(columns=[*curve, *SCORED])
    codings = codings[codings.coding != FLOATS]
    rows = codings.merge(breakpoints[[*curve, "level"]], on=[*curve, "level"])
    return _finished(rows.rename(columns={"coding": "count"}), "test_accuracy")


def known(
    breakpoints: pd.DataFrame, layers: pd.DataFrame | None, codings: pd.DataFrame | None
) -> pd.DataFrame | None:
    """Return what networks take in every count of bytes that is known; None where none is."""
    parts = [] if layers is None else [stored(breakpoints, layers)]
    if codings is not None and len(codings):
        parts.append(coded(breakpoints, codings))
    return pd.concat(parts, ignore_index=True) if parts else None


def _finished(table: pd.DataFrame, accuracy: str) -> pd.DataFrame:
    efficiency = table[accuracy] / (table.bytes / MEGA)
    table = table.assign(params=table.nonzero_params, accuracy=table[accuracy])
    return table.assign(efficiency=efficiency)[[*identity(table), "method", *SCORED]]


def ratios(sizes: pd.DataFrame, first: str, second: str, *, confidence: float) -> pd.DataFrame:
    """Return a row per count of `sizes`, the rows of some students: first method over second.

    A row has n pairs, ratio of the efficiencies (geometric mean) with ratio_low and ratio_high,
    and first_bytes and second_bytes, those of a parameter that is left (means over the pairs).
    """
    rows = []
    sizes = averaged(sizes.assign(each=sizes.bytes / sizes.params))
    for count, part in sizes.groupby("count", sort=False):
        wide = part.pivot_table(FIGURES, ["teacher", "student"], "method", sort=False)
        if not {first, second} <= set(wide["efficiency"].columns):
            continue
        wide = wide[wide["efficiency"][[first, second]].notna().all(axis=1)]
        both = [wide["efficiency"][name] for name in (first, second)]
        compared = compare(*both, confidence=confidence)
        row = {name: compared[name] for name in ("n", "ratio", "ratio_low", "ratio_high")}
        if row["ratio"] is None:  # no test of so few, or of equals; the mean is one all the same
            row["ratio"] = float(np.exp(np.log(both[0] / both[1]).mean()))
        each = wide["each"].mean()
        row |= {"first_bytes": each[first], "second_bytes": each[second]}
        rows.append({"count": count, **row})
    columns = "count n ratio ratio_low ratio_high first_bytes second_bytes".split()
    return pd.DataFrame(rows, columns=columns)

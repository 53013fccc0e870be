"""One comparison under several conditions: which pruning is ahead, by parameters and by bytes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from kdprune.analysis import power, reached, sizes
from kdprune.analysis.clusters import GROUP, by_teacher
from kdprune.analysis.efficiency import BEFORE
from kdprune.analysis.replicates import averaged
from kdprune.analysis.significance import compare
from kdprune.records import identity

UNPRUNED = "none"  # the method of a network measured as it was trained
MEGA = 1e6
KEPT = ["n", "ratio", "ratio_low", "ratio_high", "log_p", "reason"]


def conditions(
    studies: Mapping[str, Mapping[str, pd.DataFrame]],
    *,
    first: str = "channel",
    second: str = "weight",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return a row per study, data set, role, distillation method and count.

    `studies` maps a study's name to its tables (kdprune.study.comparable), of which all but
    `efficiency` may be missing. `count` is what accuracy is divided by: "parameters", "bytes" of
    the smallest float32 file that was measured, "reached parameters" without weights that no image
    reaches, or, as in the report, "bytes, float32" of the plain numbers and "bytes, CODING" of
    coded files. Rows hold n pairs, the ratio of the first to the second pruning (geometric mean
    over pairs) with its interval, log_p (paired t-test of logarithms), log_cluster_p
    (clusters.by_teacher), reason: why there is no test, and tells: the smallest ratio above 1 that
    so many pairs of such a spread show with a power of 0.8.
    """
    rows = []
    for name, tables in studies.items():
        scored = tables["efficiency"]
        counted = {"parameters": scored, **by_number(tables)}
        if "measured" in tables:
            counted["bytes"] = by_bytes(scored, tables["measured"], tables.get("breakpoints"))
        for count, table in counted.items():
            for group, part in averaged(table).groupby(GROUP, sort=False):
                wide = part.pivot_table(
                    "efficiency", ["teacher", "student"], "condition", sort=False
                )
                if not {first, second} <= set(wide.columns):
                    continue
                both = wide[[first, second]].dropna()
                compared = compare(both[first], both[second], confidence=confidence)
                who: dict[str, Any] = {"study": name, "count": count}
                who |= dict(zip(GROUP, group, strict=True))
                rows.append(who | {key: compared[key] for key in KEPT})
                rows[-1]["log_cluster_p"] = by_teacher(both[first], both[second])
                rows[-1]["tells"] = _told(rows[-1], confidence)
    return pd.DataFrame(rows, columns=["study", "count", *GROUP, *KEPT, "log_cluster_p", "tells"])


def _told(row: Mapping[str, Any], confidence: float) -> float | None:
    low, high, n = (row[key] for key in ("ratio_low", "ratio_high", "n"))
    if low is None or not 0 < low < high:
        return None
    return power.told(n, power.spread(low, high, n, confidence), alpha=1 - confidence)


def by_number(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return, for each further count that the report knows, efficiency by it.

    They are those of kdprune.analysis.reached, and of kdprune.analysis.sizes: bytes as plain
    float32 numbers, and as files of each coding.
    """
    if "breakpoints" not in tables:
        return {}
    broken, layers = tables["breakpoints"], tables.get("layers")
    found = {reached.COUNT: reached.reached(broken, layers)}
    if (held := sizes.known(broken, layers, tables.get("codings"))) is not None:
        found |= {f"bytes, {count}": part for count, part in held.groupby("count", sort=False)}
    conditioned = {"method": "condition"}
    return {
        count: part.rename(columns=conditioned) for count, part in found.items() if part is not None
    }


def by_bytes(
    scored: pd.DataFrame, measured: pd.DataFrame, broken: pd.DataFrame | None
) -> pd.DataFrame:
    """Return efficiency as percent per megabyte of the smallest file that was measured.

    A curve that breaks at once, at level 0 in the table of breakpoints, `broken`, leaves its
    network unpruned, and has that network's bytes. What was pruned and not measured is left out.
    """
    if measured.empty:
        return scored.iloc[:0]
    who, once = identity(scored), measured[measured.batch == measured.batch.min()]
    files = once.assign(bytes=once[["dense_bytes", "zstd_bytes", "sparse_bytes"]].min(axis=1))
    pruned = scored[~scored.condition.isin(BEFORE.values())]
    own = files.rename(columns={"method": "condition"})[[*who, "condition", "bytes"]]
    plain = files[files.method == UNPRUNED].rename(columns={"bytes": "plain"})[[*who, "plain"]]
    joined = pruned.merge(own, on=[*who, "condition"], how="left").merge(plain, on=who, how="left")
    unpruned = pd.Series(False, joined.index)
    if broken is not None:
        levels = broken.rename(columns={"method": "condition"})[[*who, "condition", "level"]]
        unpruned = joined.merge(levels, on=[*who, "condition"], how="left").level == 0
    held = np.where(joined.bytes.isna() & unpruned, joined.plain, joined.bytes)
    joined["efficiency"] = joined.accuracy / (held / MEGA)
    return joined.dropna(subset="efficiency")

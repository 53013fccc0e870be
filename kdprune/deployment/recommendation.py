"""Chooses among the networks that a study has swept. Plain Python: it answers at once.

Chosen is by validation accuracy alone; test accuracy is only reported, so that it stays an honest
estimate of what the chosen network does.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from kdprune.deployment.intervals import of_a_mean
from kdprune.study.latencies import Key, Latency

TRAINED, UNPRUNED = "trained", "none"  # the checkpoint; level 0, which is tuned like other levels
LEVEL = itemgetter("level")
SLACK = 1e-9  # points; differences below are rounding
LIMITS = {"max_params": "params", "max_drop": "drop", "max_latency": "latency_ms"}
LIMITS["max_bytes"] = "bytes"  # each with what it is on


@dataclass(frozen=True)
class Candidate:
    """A network at a level: counts, and percentages averaged over `seeds` fine-tuning seeds.

    `params` counts the weights that are not zeroed, `stored_params` those in the file. `drop` is
    in points of validation accuracy. `test_low` and `test_high` end the interval that holds the
    sampling of the test images and the seeds (kdprune.deployment.intervals; None where neither
    tells). `latency_ms` and `bytes`, of a file, are None where nothing was measured, and `steady`
    False where the time is noise. `swept` is the method of the sweep that has this level: what
    `kdprune export` is told. `coding` says what the file's weights are, "" where they are as swept.
    """

    dataset: str
    network: str
    role: str
    method: str
    level: float
    params: int
    stored_params: int
    macs: int
    val_accuracy: float
    test_accuracy: float
    test_low: float | None
    test_high: float | None
    seeds: int
    drop: float
    latency_ms: float | None
    steady: bool | None
    swept: str
    coding: str = ""
    bytes: int | None = None

    @property
    def masked(self) -> bool:
        """Whether weights were zeroed in place: the network's shapes are the dense ones."""
        return self.params < self.stored_params


@dataclass(frozen=True)
class Shortfall:
    """A limit that fails: the candidate that comes nearest to it, and by how much it misses.

    `alone`: how many candidates keep this limit; `others`: how many of the other limits the nearest
    one misses as well (0 wherever any candidate misses this limit alone).
    """

    limit: str
    allowed: float
    nearest: Candidate
    excess: float
    alone: int
    others: int


def candidates(
    sweeps: Iterable[Sequence[Mapping[str, Any]]],
    *,
    latencies: Mapping[Key, Latency],
    sizes: Mapping[Key, float] | None = None,
    test_images: int | None = None,
    drop_from: str = "best",
) -> list[Candidate]:
    """Return every network at every level of `sweeps`, each the rows of one curve of one data set.

    A checkpoint, as it was trained, is a curve of one row, of level 0 and method "trained"; so is a
    network in a coding, which has its own `bytes`. `latencies`: times, and `sizes`: bytes of what
    is not coded, by (network, method, level); a network whose weights are masked has the time of
    itself unpruned. `test_images`: how many each accuracy was read off. `drop_from` "best": drops
    are against the unpruned network with the highest validation accuracy, as trained or tuned;
    "own": against the better of the two of the same network. Level 0 of several methods is one
    candidate, of method "none".
    """
    points: dict[tuple, list[Mapping[str, Any]]] = {}
    for rows in sweeps:
        for level, group in groupby(sorted(rows, key=LEVEL), key=LEVEL):
            members = list(group)
            method = members[0]["method"]
            method = method if level or method == TRAINED else UNPRUNED
            coding = members[0].get("coding", "")
            points.setdefault((members[0]["network"], method, level, coding), members)
    dense: dict[str, float] = {}
    for (name, _, level, coding), members in points.items():
        if not level and not coding:
            dense[name] = max(dense.get(name, 0.0), _mean(members, "val_accuracy"))
    start = dense if drop_from == "own" else dict.fromkeys(dense, max(dense.values()))
    whole = {name: rows[0]["params"] for (name, _, level, _), rows in points.items() if not level}
    return [
        _candidate(
            members,
            method,
            start[name],
            (members[0]["params"] == whole[name] and latencies.get((name, UNPRUNED, 0.0)))
            or latencies.get((name, method, level)),
            (sizes or {}).get((name, UNPRUNED if method == TRAINED else method, level)),
            test_images,
        )
        for (name, method, level, _), members in points.items()
    ]


def _candidate(
    rows: Sequence[Mapping[str, Any]],
    method: str,
    start: float,
    latency: Latency | None,
    size: float | None,
    test_images: int | None,
) -> Candidate:
    first, tests = rows[0], [row["test_accuracy"] for row in rows]
    low, high = of_a_mean(tests, test_images)
    size = first.get("bytes", size)
    return Candidate(
        dataset=first["dataset"],
        network=first["network"],
        role=first["role"],
        method=method,
        level=first["level"],
        params=int(first["nonzero_params"]),
        stored_params=int(first["params"]),
        macs=int(first["macs"]),
        val_accuracy=_mean(rows, "val_accuracy"),
        test_accuracy=statistics.fmean(tests),
        test_low=low,
        test_high=high,
        seeds=len(rows),
        drop=start - _mean(rows, "val_accuracy"),
        latency_ms=None if latency is None else latency.milliseconds,
        steady=None if latency is None else latency.steady,
        swept=first["method"],
        coding=first.get("coding", ""),
        bytes=None if size is None else int(size),
    )


def excess(candidate: Candidate, limit: str, allowed: float) -> float:
    """Return by how much a candidate exceeds a limit, 0 where it keeps it.

    Infinite if unknown: a latency or a size that was not measured, or a latency that is noise.
    """
    value = getattr(candidate, LIMITS[limit])
    if limit == "max_latency" and not candidate.steady:
        value = None
    if value is None:
        return math.inf
    return value - allowed if value > allowed + SLACK else 0.0


def ranked(candidates: Iterable[Candidate], limits: Mapping[str, float]) -> list[Candidate]:
    """Return the candidates within all limits: best validation accuracy first, then the smaller."""
    kept = [one for one in candidates if not any(excess(one, *limit) for limit in limits.items())]
    return sorted(kept, key=lambda one: (-round(one.val_accuracy, 9), one.params, one.level))


def shortfalls(candidates: Sequence[Candidate], limits: Mapping[str, float]) -> list[Shortfall]:
    """Return why nothing is within all limits: per limit, the candidate that comes nearest to it.

    Nearest is, among those that miss the limit, one that keeps most of the others, and then the
    one that misses it by least.
    """
    missed = []
    for limit, allowed in limits.items():
        over = []
        for one in candidates:
            if gap := excess(one, limit, allowed):
                rest = [excess(one, *other) for other in limits.items() if other[0] != limit]
                over.append((sum(gap > 0 for gap in rest), gap, -one.val_accuracy, one))
        if over:
            others, gap, _, nearest = min(over, key=lambda item: item[:3])
            alone = len(candidates) - len(over)
            missed.append(Shortfall(limit, allowed, nearest, gap, alone, others))
    return sorted(missed, key=lambda item: item.others)


def _mean(rows: Sequence[Mapping[str, Any]], column: str) -> float:
    return statistics.fmean(row[column] for row in rows)

"""Times of forward passes in which the machine's other work has as little say as it can have.

Networks take turns in rounds; a round that was disturbed is repeated, and the calmest one counts.
What is judged by is a round's lower quartile, as other work only ever makes a pass longer.
"""

import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kdprune.errors import KdpruneError

WARM_UP = 3  # turns that are not counted: kernels are chosen and memory is fetched in them
CALM = 0.25  # a spread, the interquartile range over the median, with which no round is repeated
NOISE = 0.5  # a spread above which a time is noise, and decides nothing
ROUNDS = 4
VARIABLE = "KDPRUNE_PATIENCE"
PATIENCE = 10.0  # seconds after which no further round begins, where the variable says none

Call = Callable[[Any], Any]


def latency(
    calls: Sequence[Call],
    images: Any,
    *,
    wait: Callable[[], Any] = lambda: None,
    repeats: int = 200,
    least: int = 10,
    seconds: float = 1.0,
    rounds: int = ROUNDS,
) -> list[dict[str, Any]]:
    """Time each of `calls` on the same batch `images` (any array that can be sliced).

    In a turn a network first runs on one image, which brings its weights back into the caches, and
    is then timed; `wait` empties the device's queue before and after. All take a turn before any
    takes its next, so that whatever else the machine does troubles all of them alike; who begins
    changes from turn to turn. A round ends after `repeats` turns, or once there are `least` of them
    and `seconds` have passed. It is repeated, up to `rounds` in all, until the spread of every
    network is CALM or less, or KDPRUNE_PATIENCE is over (seconds; PATIENCE by default); the round
    whose largest spread is smallest counts, for all of them. Raises KdpruneError where that is no
    number.

    Returns per network latency_ms_p25, latency_ms_median and latency_ms_p75 (milliseconds for the
    whole batch), repeats, the timed runs of the round, and steady: whether the spread is at most
    NOISE.
    """
    begun, most = time.perf_counter(), patience()
    kept: list[dict[str, float]] = []
    for _ in range(rounds):
        series = _round(calls, images, wait, repeats, least, seconds)
        quartiles = [_quartiles(times) for times in series]
        if not kept or _unrest(quartiles) < _unrest(kept):
            kept = quartiles
        if _unrest(kept) <= CALM or time.perf_counter() - begun > most:
            break
    return [{**one, "steady": spread(one) <= NOISE} for one in kept]


def patience() -> float:
    """Return for how many seconds disturbed rounds are repeated; 0 takes the first.

    Raises KdpruneError where KDPRUNE_PATIENCE says no number.
    """
    told = os.environ.get(VARIABLE) or PATIENCE
    try:
        given = float(told)
    except ValueError:
        given = -1.0
    if not given >= 0:
        raise KdpruneError(f"{VARIABLE}={told}: is no number of seconds; write 0, 2.5 or 60")
    return given


def spread(times: dict[str, float]) -> float:
    """Return the interquartile range of a network's times over their median."""
    median = times["latency_ms_median"]
    return (times["latency_ms_p75"] - times["latency_ms_p25"]) / median if median else 0.0


def _unrest(quartiles: Sequence[dict[str, float]]) -> float:
    return max(map(spread, quartiles))


def _round(
    calls: Sequence[Call],
    images: Any,
    wait: Callable[[], Any],
    repeats: int,
    least: int,
    seconds: float,
) -> list[list[float]]:
    times: list[list[float]] = [[] for _ in calls]
    end = math.inf
    for turn in range(WARM_UP + repeats):
        if turn == WARM_UP:
            end = time.perf_counter() + seconds
        if turn >= WARM_UP + least and time.perf_counter() >= end:
            break
        for at in range(len(calls)):
            chosen = (turn + at) % len(calls)
            calls[chosen](images[:1])
            times[chosen].append(_milliseconds(calls[chosen], images, wait))
    return [series[WARM_UP:] for series in times]


def _milliseconds(call: Call, images: Any, wait: Callable[[], Any]) -> float:
    wait()
    start = time.perf_counter()
    call(images)
    wait()
    return 1e3 * (time.perf_counter() - start)


def _quartiles(times: Sequence[float]) -> dict[str, float]:
    low, middle, high = np.percentile(times, [25, 50, 75]).tolist()
    named = {"latency_ms_median": middle, "latency_ms_p25": low, "latency_ms_p75": high}
    return {**named, "repeats": len(times)}

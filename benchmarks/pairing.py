"""Times two callables by turns, so that a noisy machine troubles both alike, and prints a ratio."""

import statistics
import time
from collections.abc import Callable


def seconds(call: Callable[[], object]) -> float:
    """Run `call` once; return the wall-clock seconds that it took."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(
    claim: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    rounds: int = 7,
    goal: str = "",
    scale: float = 1.0,
    images: int = 0,
) -> float:
    """Print `claim`, and the median over rounds of theirs / ours with its range; return it.

    Above 1 ours is the faster. Within a round both run, in an order that alternates; one round more
    is run first, and left out. `scale` multiplies the ratio where the two do different amounts.
    With `images`, of which each does so many, images/s of both are printed too, medians.
    """
    ratios, times = [], []
    for turn in range(rounds + 1):
        if turn % 2:
            first, second = seconds(ours), seconds(theirs)
        else:
            second, first = seconds(theirs), seconds(ours)
        ratios.append(scale * second / first)
        times.append((first, second))
    ratios = sorted(ratios[1:])
    middle = statistics.median(ratios)
    wanted = f"  (goal {goal})" if goal else ""
    if images:
        rates = [images / statistics.median(each) for each in zip(*times[1:], strict=True)]
        wanted = f"; {rates[0]:,.0f} and {rates[1]:,.0f} images/s{wanted}"
    print(
        f"{claim}: {middle:.3f} [{ratios[0]:.3f} to {ratios[-1]:.3f}, n = {len(ratios)}]{wanted}",
        flush=True,
    )
    return middle

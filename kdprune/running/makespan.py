"""How long a study takes on so many slots, by the seconds of its instances."""

from collections.abc import Iterable, Mapping


def makespan(needs: Mapping[str, Iterable[str]], seconds: Mapping[str, float], slots: int) -> float:
    """Return how long `schedule` takes on `slots` slots, each instance taking its `seconds`."""
    ends: dict[str, float] = {}
    waiting = {name: {item for item in before if item in needs} for name, before in needs.items()}
    refuse_circles(waiting)
    free = [0.0] * slots
    while waiting:
        at = min(free)
        ready = [name for name, before in waiting.items() if all(_by(ends, i, at) for i in before)]
        slot = free.index(at)
        if ready:
            del waiting[ready[0]]
            ends[ready[0]] = free[slot] = at + seconds[ready[0]]
        else:  # the slot idles until the next instance ends
            free[slot] = min(end for end in ends.values() if end > at)
    return max(ends.values(), default=0.0)


def _by(ends: Mapping[str, float], name: str, time: float) -> bool:
    return name in ends and ends[name] <= time


def refuse_circles(needs: Mapping[str, Iterable[str]]) -> None:
    """Raise ValueError where needs go round in a circle."""
    left = {name: set(before) for name, before in needs.items()}
    while left:
        first = [name for name, before in left.items() if not before & left.keys()]
        if not first:
            raise ValueError(f"these need each other: {', '.join(left)}")
        for name in first:
            del left[name]

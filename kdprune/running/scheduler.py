"""Decides which instance runs on which slot, and when. It reads and writes nothing.

An engine runs what the scheduler decides. It has `submit(slot, name) -> Future[Done]`; everything
else about processes, machines and files is the engine's.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Literal, Protocol

ATTEMPTS = 2  # a killed stage is run once more, on the same slot, where its checkpoint lies
FAULT = 2  # exit status of a fault that only the user can mend: another attempt is in vain


@dataclass(frozen=True)
class Done:
    """How an attempt ended: its exit status, its seconds, and its last lines of output."""

    status: int
    seconds: float = 0.0
    tail: str = ""
    slot_lost: bool = False  # the slot died with it: neither counts against the instance
    crowded: bool = False  # no memory was left: it may do where it has the place to itself


@dataclass(frozen=True)
class Event:
    """What happened to an instance, for whoever shows progress."""

    kind: Literal["started", "done", "retried", "failed", "moved", "not run"]
    name: str
    slot: int | None = None
    done: Done | None = None


class Engine(Protocol):
    """Runs one instance on a slot."""

    def submit(self, slot: int, name: str) -> "Future[Done]":
        """Start `name` on `slot`, which runs nothing else; the future never raises."""


Fits = Callable[[str, int, Mapping[int, str], set[str]], bool]


def anywhere(name: str, slot: int, running: Mapping[int, str], alone: set[str]) -> bool:
    """Let every instance run on every slot, but those of `alone` beside nothing."""
    return not running or not alone & {name, *running.values()}


def schedule(
    needs: Mapping[str, Iterable[str]],
    engine: Engine,
    slots: Iterable[int],
    tell: Callable[[Event], None] = lambda event: None,
    fits: Fits = anywhere,
) -> dict[str, Literal["done", "failed", "not run"]]:
    """Run every instance of `needs` after those that it needs; return how each ended.

    `needs` maps a name to the names before it; names that it does not hold count as done. The order
    is that of `needs`, as far as dependencies and slots allow. Nothing runs twice but what failed
    with another status than FAULT, once, on the same slot, and what had no memory left, once, where
    nothing runs beside it; what depends on a failure is not run, and all else goes on. An instance
    whose slot was lost goes to another slot. Where all slots are lost, the rest is not run.
    `fits(name, slot, running, alone)` says whether a slot has room for an instance beside those
    that run ({slot: name}); where nothing runs, all have. Raises ValueError where needs go round in
    a circle.
    """
    waiting = {name: {item for item in before if item in needs} for name, before in needs.items()}
    _refuse_circles(waiting)
    outcome: dict[str, Literal["done", "failed", "not run"]] = {}
    free, attempts = list(slots), dict.fromkeys(needs, 0)
    running: dict[Future[Done], tuple[str, int]] = {}
    alone: set[str] = set()  # had no memory left beside others

    def start(name: str, slot: int) -> None:
        attempts[name] += 1
        tell(Event("started", name, slot))
        running[engine.submit(slot, name)] = (name, slot)

    while waiting or running:
        for name in [name for name, before in waiting.items() if _hopeless(before, outcome)]:
            del waiting[name]
            outcome[name] = "not run"
            tell(Event("not run", name))
        for name in [name for name, before in waiting.items() if _ready(before, outcome)]:
            held = {slot: other for other, slot in running.values()}
            slot = next((at for at in free if not held or fits(name, at, held, alone)), None)
            if slot is not None:
                del waiting[name]
                free.remove(slot)
                start(name, slot)
        if not running:
            if not free:
                for name in waiting:
                    outcome[name] = "not run"
                    tell(Event("not run", name))
                break
            continue
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            name, slot = running.pop(future)
            done = future.result()
            if done.slot_lost:
                attempts[name] -= 1
                tell(Event("moved", name, slot, done))
                waiting = {name: set(), **waiting}
            elif done.status == 0:
                outcome[name] = "done"
                free.append(slot)
                tell(Event("done", name, slot, done))
            elif done.crowded and name not in alone:
                alone.add(name)
                free.append(slot)
                tell(Event("retried", name, slot, done))
                waiting = {name: set(), **waiting}
            elif done.status != FAULT and attempts[name] < ATTEMPTS:
                tell(Event("retried", name, slot, done))
                start(name, slot)
            else:
                outcome[name] = "failed"
                free.append(slot)
                tell(Event("failed", name, slot, done))
    return outcome


def makespan(needs: Mapping[str, Iterable[str]], seconds: Mapping[str, float], slots: int) -> float:
    """Return how long `schedule` takes on `slots` slots, each instance taking its `seconds`."""
    ends: dict[str, float] = {}
    waiting = {name: {item for item in before if item in needs} for name, before in needs.items()}
    _refuse_circles(waiting)
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


def _hopeless(before: Iterable[str], outcome: Mapping[str, str]) -> bool:
    return any(outcome.get(name) in ("failed", "not run") for name in before)


def _ready(before: Iterable[str], outcome: Mapping[str, str]) -> bool:
    return all(outcome.get(name) == "done" for name in before)


def _refuse_circles(needs: Mapping[str, Iterable[str]]) -> None:
    left = {name: set(before) for name, before in needs.items()}
    while left:
        first = [name for name, before in left.items() if not before & left.keys()]
        if not first:
            raise ValueError(f"these need each other: {', '.join(left)}")
        for name in first:
            del left[name]

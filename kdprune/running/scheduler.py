"""Decides which instance runs on which slot, and when. It reads and writes nothing.

An engine runs what the scheduler decides. It has `submit(slot, name) -> Future[Done]`; everything
else about processes, machines and files is the engine's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Literal, Protocol

from kdprune.running.makespan import refuse_circles

ATTEMPTS = 2  # a killed stage is run once more, on the same slot, where its checkpoint lies
LOSSES = 2  # slots that die under one instance: it may be what kills them
BAD = 2  # instances in a row that fail on a slot: it may be what fails them
FAULT = 2  # exit status of a fault that only the user can mend: another attempt is in vain


@dataclass(frozen=True)
class Done:
    """How an attempt ended: its exit status, its seconds, and its last lines of output."""

    status: int
    seconds: float = 0.0
    tail: str = ""
    slot_lost: bool = False  # the slot died with it
    crowded: bool = False  # no memory was left: it may do where it has the place to itself


@dataclass(frozen=True)
class Event:
    """What happened to an instance, or to a slot (no name), for whoever shows progress."""

    kind: Literal["started", "done", "retried", "failed", "moved", "not run", "left out"]
    name: str
    slot: int | None = None
    done: Done | None = None


class Engine(Protocol):
    """Runs one instance on a slot."""

    def submit(self, slot: int, name: str) -> "Future[Done]":
        """Start `name` on `slot`, which runs nothing else; the future never raises."""


Fits = Callable[[str, int, Mapping[int, str], set[str]], bool]
Outcome = Literal["done", "failed", "not run"]


def anywhere(name: str, slot: int, running: Mapping[int, str], alone: set[str]) -> bool:
    """Let every instance run on every slot, but those of `alone` beside nothing."""
    return not running or not alone & {name, *running.values()}


def itself(slot: int) -> object:
    """Take every slot for a place of its own."""
    return slot


def schedule(
    needs: Mapping[str, Iterable[str]],
    engine: Engine,
    slots: Iterable[int],
    tell: Callable[[Event], None] = lambda event: None,
    fits: Fits = anywhere,
    place: Callable[[int], object] = itself,
) -> dict[str, Outcome]:
    """Run every instance of `needs` after those that it needs; return how each ended.

    `needs` maps a name to the names before it; names that it does not hold count as done. The order
    is that of `needs`, as far as dependencies and slots allow. Nothing runs twice but what failed
    with another status than FAULT, once, on the same slot, and what had no memory left, once, where
    nothing runs beside it; what depends on a failure is not run, and all else goes on. An instance
    whose slot was lost goes to another slot, once. A slot where two instances in a row failed is
    left out, unless it is the last. Where no slot is left, the rest is not run.
    `fits(name, slot, running, alone)` says whether a slot has room for an instance beside those
    that run ({slot: name}); where nothing runs, all have. What has been passed over for want of
    room as often as there are slots is waited for. Of the slots with room, the one is taken whose
    `place` runs the fewest. Raises ValueError where needs go round in a circle.
    """
    return _Study(needs, engine, list(slots), tell, fits, place).run()


class _Study:
    """A study on its way: what waits, what runs where, and how all else ended."""

    def __init__(
        self,
        needs: Mapping[str, Iterable[str]],
        engine: Engine,
        slots: list[int],
        tell: Callable[[Event], None],
        fits: Fits,
        place: Callable[[int], object],
    ) -> None:
        self.waiting = {
            name: {item for item in before if item in needs} for name, before in needs.items()
        }
        refuse_circles(self.waiting)
        self.engine, self.tell, self.fits, self.place = engine, tell, fits, place
        self.free, self.patience = slots, len(slots)
        self.running: dict[Future[Done], tuple[str, int]] = {}
        self.outcome: dict[str, Outcome] = {}
        self.alone: set[str] = set()  # had no memory left beside others
        self.attempts, self.losses = Counter[str](), Counter[str]()
        self.passed, self.bad = Counter[str](), Counter[int]()

    def run(self) -> dict[str, Outcome]:
        """Run to the end."""
        while self.waiting or self.running:
            for name in [name for name, needed in self.waiting.items() if self._hopeless(needed)]:
                self._give_up(name)
            self._fill()
            if self.running:
                for future in wait(self.running, return_when=FIRST_COMPLETED).done:
                    self._take(future.result(), *self.running.pop(future))
            elif not self.free:
                for name in list(self.waiting):
                    self._give_up(name)
        return self.outcome

    def _fill(self) -> None:
        """Start what is ready, in order, where there is room."""
        for name in [name for name, needed in self.waiting.items() if self._ready(needed)]:
            held = {slot: other for other, slot in self.running.values()}
            there = [at for at in self.free if not held or self.fits(name, at, held, self.alone)]
            if there:
                busy = Counter(self.place(at) for at in held)
                slot = min(there, key=lambda at: busy[self.place(at)])
                del self.waiting[name]
                self.free.remove(slot)
                self._start(name, slot)
            elif self.free:  # smaller ones would pass it for ever
                self.passed[name] += 1
                if self.passed[name] > self.patience:
                    return

    def _start(self, name: str, slot: int) -> None:
        self.attempts[name] += 1
        self.tell(Event("started", name, slot))
        self.running[self.engine.submit(slot, name)] = (name, slot)

    def _take(self, done: Done, name: str, slot: int) -> None:
        """Decide what becomes of an instance and its slot after an attempt."""
        if done.slot_lost:
            self.losses[name] += 1
            self.attempts[name] -= 1
            if done.crowded:
                self.alone.add(name)
            if self.losses[name] < LOSSES:
                self._again("moved", name, slot, done)
            else:
                self._end("failed", name, slot, done)
        elif done.status == 0:
            self._end("done", name, slot, done)
            self.bad[slot] = 0
            self.free.append(slot)
        elif done.crowded and name not in self.alone:
            self.alone.add(name)
            self.free.append(slot)
            self._again("retried", name, slot, done)
        elif done.status != FAULT and self.attempts[name] < ATTEMPTS:
            self.tell(Event("retried", name, slot, done))
            self._start(name, slot)
        else:
            self._end("failed", name, slot, done)
            self._judge(slot, done)

    def _judge(self, slot: int, done: Done) -> None:
        """Free a slot after a failure, or leave it out."""
        self.bad[slot] += done.status != FAULT
        others = [*self.free, *(at for _, at in self.running.values())]
        if self.bad[slot] < BAD or not others:
            self.free.append(slot)
        else:
            self.tell(Event("left out", "", slot, done))

    def _again(self, kind: Literal["moved", "retried"], name: str, slot: int, done: Done) -> None:
        self.tell(Event(kind, name, slot, done))
        self.waiting = {name: set(), **self.waiting}

    def _end(self, kind: Literal["done", "failed"], name: str, slot: int, done: Done) -> None:
        self.outcome[name] = kind
        self.tell(Event(kind, name, slot, done))

    def _give_up(self, name: str) -> None:
        del self.waiting[name]
        self.outcome[name] = "not run"
        self.tell(Event("not run", name))

    def _hopeless(self, needed: Iterable[str]) -> bool:
        return any(self.outcome.get(name) in ("failed", "not run") for name in needed)

    def _ready(self, needed: Iterable[str]) -> bool:
        return all(self.outcome.get(name) == "done" for name in needed)

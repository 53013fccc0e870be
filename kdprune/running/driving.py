"""Drives a study from its folder: what is stale, on an engine's slots, then what collects."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import filelock

from kdprune.errors import KdpruneError
from kdprune.records import read_json
from kdprune.running import group, live, order, study
from kdprune.running.here import LOGS
from kdprune.running.places import Room
from kdprune.running.progress import Teller
from kdprune.running.scheduler import Engine, Event, schedule

STATUS = Path(".run/run.json")
ORDER = Path(".run/order.json")
HELD = Path(".run/run.lock")
LOCK = Path("dvc.lock")
LINES = 20  # that `--status` tells
SIGNALLED = 128
STOPPED = "kdprune: stopping; the same command goes on"


class Stops(Engine, Protocol):
    """An engine that can be ended."""

    def stop(self) -> None:
        """End whatever runs."""


@contextmanager
def alone() -> Iterator[None]:
    """Hold the folder for one run. Raises KdpruneError where another holds it."""
    HELD.parent.mkdir(exist_ok=True)
    try:
        with filelock.FileLock(HELD, timeout=0):
            yield
    except filelock.Timeout:
        raise KdpruneError(
            "a run is under way in this folder; `kdprune run --status` tells how it stands"
        ) from None


def spread(needs: Mapping[str, list[str]], engine: Stops, room: Room) -> bool:
    """Run the instances of `needs` on the engine's slots; say whether all are done.

    `room` has the place of each slot. What failed is told at the end, with its last lines.
    """
    slots = len(room.places)
    teller = Teller(list(needs), study.seconds(needs, LOGS), slots, STATUS)
    board, place = live.Board(), room.places.__getitem__

    def tell(event: Event) -> None:
        board.note(event)
        teller.tell(event)

    try:
        with live.shown(board):
            ended = schedule(needs, engine, range(slots), tell, room.fits, place)
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        raise
    finally:
        engine.stop()
        teller.close()
    for name, tail in teller.failed:
        print(f"kdprune: {name} failed; the end of its output:\n{tail}", file=sys.stderr)
    left = sum(how == "not run" for how in ended.values())
    if left and not teller.failed:
        said = f"; the last that was lost said:\n{teller.lost}"
        print(f"kdprune: no slot is left for {left} instances{said}", file=sys.stderr)
    return not left and not teller.failed


def in_place(needs: Mapping[str, list[str]], engine: Stops, room: Room) -> bool:
    """Do as `spread` in the user's own folder, where dvc.lock gets the order of a serial run."""
    now = order.names_of(LOCK)
    before = order.order_before(LOCK, ORDER)
    done = spread(needs, engine, room) if needs else True
    if order.names_of(LOCK) != now or now != before:
        order.in_order(LOCK, before)
    ORDER.unlink(missing_ok=True)  # it is for a run that was cut short
    return done


@contextmanager
def endable() -> Iterator[None]:
    """Let SIGTERM unwind what is begun within, as Ctrl-C does: slots end, the terminal is reset."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(SIGNALLED + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def collect(*, pull: bool) -> int:
    """Run `dvc repro`, which collects and leaves nothing out; return our exit status."""
    try:
        status = group.run(["dvc", "repro", *(["--pull"] if pull else [])])
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        raise
    return status if status > SIGNALLED else 2 * bool(status)


def status() -> list[str]:
    """Return how the run in this folder stands, or stood. Raises KdpruneError where none was."""
    try:
        told = read_json(STATUS)
        lines = [str(line) for line in told["lines"][-LINES:]]
        running = [f"runs: {name}, since {since}" for name, since in told["running"].items()]
        left = len(told["left"])
    except FileNotFoundError:
        raise KdpruneError(f"{STATUS}: no run has begun here; start one by `kdprune run`") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise KdpruneError(f"{STATUS}: is damaged; `kdprune run` writes it anew") from None
    if _is_held():
        return [*lines, *running]
    return [*lines, f"not running; {left} left: `kdprune run` goes on" if left else "not running"]


def _is_held() -> bool:
    if not os.access(HELD, os.W_OK):  # none was begun, or not by us
        return False
    try:
        with filelock.FileLock(HELD, timeout=0):
            return False
    except filelock.Timeout:
        return True

"""Tells how a run of many instances stands: a line an event, and a file for other shells."""

import datetime
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdprune import terminal
from kdprune.files import replacing
from kdprune.progress import duration
from kdprune.running.scheduler import Done, Event

KILLED = 128  # exit statuses above it, and below 0, are signals'


class Teller:
    """Prints a line for every event but starts, and writes the same to `file`."""

    def __init__(
        self, names: Sequence[str], seconds: Mapping[str, float], slots: int, file: Path
    ) -> None:
        self.names, self.seconds, self.slots, self.file = names, dict(seconds), slots, file
        self.left = dict.fromkeys(names)
        self.running: dict[str, str] = {}
        self.lines: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.lost = ""  # what the last lost slot said
        self._planned, self._measured, self._silent = 0.0, 0.0, False

    def tell(self, event: Event) -> None:
        """Note an event."""
        if event.kind == "started":
            self.running[event.name] = _now()
        else:
            self.running.pop(event.name, None)
            self._line(event)
        self._write()

    def close(self) -> None:
        """Note that nothing runs any more."""
        self.running.clear()
        self._write()

    def _line(self, event: Event) -> None:
        done, slot = event.done, f" on slot {event.slot + 1}" if event.slot is not None else ""
        if event.kind == "left out":
            return self._say(f"{_now()} no more work{slot}: what ran there failed, again and again")
        if event.kind in ("done", "failed", "not run"):
            self.left.pop(event.name, None)
        if event.kind == "done" and done:
            self._planned += self.seconds[event.name]
            self._measured += done.seconds
        if event.kind == "failed" and done:
            self.failed.append((event.name, done.tail))
        if done and done.slot_lost:
            self.lost = done.tail
        kind, _, key = event.name.partition("@")
        same = [name for name in self.names if name.startswith(f"{kind}@")]
        at = f"{kind} {same.index(event.name) + 1} of {len(same)} {key}"
        self._say(f"{_now()} {at} {_told(event, done)}{slot} ({self._rest()})")

    def _say(self, line: str) -> None:
        """Print a line. Who reads it may have gone, as `head` does: the run goes on."""
        self.lines.append(line)
        try:
            print(line, flush=True)
        except OSError:
            terminal.abandon()

    def _rest(self) -> str:
        """Say how much is left: known seconds, corrected by how long the ended ones took."""
        if not self.left:
            return "none left"
        pace = self._measured / self._planned if self._planned else 1.0
        rest = pace * sum(self.seconds[name] for name in self.left) / self.slots
        return f"{len(self.left)} left, about {duration(rest)}"

    def _write(self) -> None:
        """Write the file for other shells; a full disk stops no training."""
        told = {"lines": self.lines, "running": self.running, "left": list(self.left)}
        try:
            with replacing(self.file) as temporary:
                temporary.write_text(json.dumps(told, indent=1), encoding="utf-8")
        except OSError as error:
            if not self._silent:
                self._silent = True
                reason = f"{self.file}: {error.strerror or error}; `--status` tells no more"
                print(f"kdprune: {reason}", file=sys.stderr)


def _told(event: Event, done: Done | None) -> str:
    """Say what became of an instance."""
    if event.kind == "moved":
        return "goes elsewhere"
    if event.kind != "retried" or done is None:
        took = f" in {duration(done.seconds)}" if done and event.kind == "done" else ""
        return f"{event.kind}{took}"
    if done.crowded:
        return "had no memory; runs again, alone"
    if done.status < 0 or done.status > KILLED:
        return "was killed; runs again"
    return f"ended with {done.status}; runs again"


def _now() -> str:
    return datetime.datetime.now().strftime("%H:%M")

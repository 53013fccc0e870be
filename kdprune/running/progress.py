"""Tells how a run of many instances stands: a line an event, and a file for other shells."""

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdprune.files import replacing
from kdprune.progress import duration
from kdprune.running.scheduler import Event

VERBS = {"retried": "was killed; runs again", "failed": "failed", "moved": "goes elsewhere"}


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
        self._planned, self._measured = 0.0, 0.0

    def tell(self, event: Event) -> None:
        """Note an event."""
        if event.kind == "started":
            self.running[event.name] = _now()
        else:
            self.running.pop(event.name, None)
            self._line(event)
        self._write()

    def _line(self, event: Event) -> None:
        done = event.done
        if event.kind in ("done", "failed", "not run"):
            self.left.pop(event.name, None)
        if event.kind == "done" and done:
            self._planned += self.seconds[event.name]
            self._measured += done.seconds
        if event.kind == "failed" and done:
            self.failed.append((event.name, done.tail))
        kind, _, key = event.name.partition("@")
        same = [name for name in self.names if name.startswith(f"{kind}@")]
        at = f"{kind} {same.index(event.name) + 1} of {len(same)} {key}"
        took = f" in {duration(done.seconds)}" if done and event.kind == "done" else ""
        slot = f" on slot {event.slot + 1}" if event.slot is not None else ""
        told = VERBS.get(event.kind, event.kind)
        line = f"{_now()} {at} {told}{took}{slot} ({self._rest()})"
        self.lines.append(line)
        print(line, flush=True)

    def _rest(self) -> str:
        """Say how much is left: known seconds, corrected by how long the ended ones took."""
        if not self.left:
            return "none left"
        pace = self._measured / self._planned if self._planned else 1.0
        rest = pace * sum(self.seconds[name] for name in self.left) / self.slots
        return f"{len(self.left)} left, about {duration(rest)}"

    def _write(self) -> None:
        told = {"lines": self.lines, "running": self.running, "left": list(self.left)}
        with replacing(self.file) as temporary:
            temporary.write_text(json.dumps(told, indent=1), encoding="utf-8")


def _now() -> str:
    return datetime.datetime.now().strftime("%H:%M")

"""On a terminal, one line for each slot: what runs there, for how long, and what it last said."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from kdprune.progress import duration
from kdprune.running.here import log_of
from kdprune.running.scheduler import Event
from kdprune.terminal import printable

EACH = 1.0  # seconds between two looks at what the slots say
END = 2000  # bytes of a log's end, in which its last line lies


class Board:
    """What the slots do now."""

    def __init__(self, folder: Path = Path()) -> None:
        self.folder = folder
        self.running: dict[int, tuple[str, float]] = {}

    def note(self, event: Event) -> None:
        """Note an event of the scheduler's."""
        if event.slot is None:
            return
        if event.kind == "started":
            self.running[event.slot] = event.name, time.time()
        else:
            self.running.pop(event.slot, None)

    def lines(self) -> list[str]:
        """Return a line for each slot that runs something."""
        return [self._line(slot, *now) for slot, now in sorted(self.running.copy().items())]

    def _line(self, slot: int, name: str, since: float) -> str:
        last = _last_line(self.folder / log_of(name), since)
        said = last.removeprefix(f"{name.partition('@')[2]}: ")
        taken = duration(max(0.0, time.time() - since))
        return f"slot {slot + 1}  {name}  {taken}  {printable(said)}".rstrip()

    def __rich__(self) -> Group:
        """Return what rich draws: each line cut at the terminal's edge."""
        return Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in self.lines()))


@contextmanager
def shown(board: Board) -> Iterator[None]:
    """Draw the board below what is printed within the block; nothing where no terminal is."""
    console = Console(highlight=False)
    if not sys.stdout.isatty() or console.is_dumb_terminal:
        yield
        return
    with Live(board, console=console, refresh_per_second=1 / EACH, transient=True):
        console.show_cursor()  # rich hides it: after kill -9 it would stay hidden in the shell
        yield


def _last_line(log: Path, since: float) -> str:
    """Return the last line that a stage has written after `since`, "" for none."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        if os.fstat(file.fileno()).st_mtime >= since:
            file.seek(max(0, file.seek(0, os.SEEK_END) - END))
            said = file.read().decode(errors="replace").replace("\r", "\n")
            _, _, own = said.rpartition("\n> ")[2].partition("\n")  # DVC names the command before
            return next((line.strip() for line in reversed(own.split("\n")) if line.strip()), "")
    return ""

"""A bound on the time that a server may take, however it goes about it.

Time-outs between bytes are not enough: a server that sends one every 29 seconds, be it of a header
or of a file, meets each of them. So the work is done beside, and given up when its time is over.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from kdprune.sources.addresses import Unreachable, shown

GIVEN_UP = (
    " and was given up; run the command again to go on from what came, or use another data.source"
)
Result = TypeVar("Result")


class Patience:
    """How long work for `url` may take: `total` seconds, never slower than `least` bytes a second
    over `window` seconds, pauses between attempts left out.
    """

    def __init__(self, url: str, total: float, least: float, window: float):
        self.url, self.total, self.least, self.window = url, total, least, window
        self.bytes, self.rests = 0, False
        self.since, self.before = time.monotonic(), 0  # where the present window began
        self.over = threading.Event()

    def arrived(self, count: int) -> None:
        """Note that `count` bytes came. Raises Unreachable where nobody waits any more."""
        if self.over.is_set():
            raise Unreachable(f"{shown(self.url)}: was given up")
        self.bytes += count

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Mark a pause, in which no bytes can come; what was measured before it is forgotten."""
        self.rests = True
        yield
        self._begin()
        self.rests = False

    def with_(self, work: Callable[["Patience"], Result]) -> Result:
        """Return or raise what `work` does. Raises Unreachable when the patience is at an end."""
        outcome: list[Result] = []
        failure: list[BaseException] = []

        def beside() -> None:
            try:
                outcome.append(work(self))
            except BaseException as error:  # raised again where it is waited for
                failure.append(error)

        thread = threading.Thread(target=beside, daemon=True)
        thread.start()
        try:
            self._wait(thread)
        finally:
            self.over.set()
        if failure:
            raise failure[0]
        return outcome[0]

    def _begin(self) -> None:
        self.since, self.before = time.monotonic(), self.bytes

    def _wait(self, thread: threading.Thread) -> None:
        end = time.monotonic() + self.total
        self._begin()
        while True:
            now = time.monotonic()
            thread.join(max(0.01, min(self.since + self.window, end) - now))
            if not thread.is_alive():
                return
            now = time.monotonic()
            if now >= end:
                raise Unreachable(
                    f"{shown(self.url)}: took more than {self.total:,.0f} s{GIVEN_UP}"
                )
            if self.rests:
                self._begin()
            elif (passed := now - self.since) >= self.window:
                if self.bytes - self.before < self.least * passed:
                    raise Unreachable(
                        f"{shown(self.url)}: sent less than {self.least:,.0f} bytes/s for "
                        f"{self.window:,.0f} s{GIVEN_UP}"
                    )
                self._begin()

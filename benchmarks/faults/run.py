"""One run of DVC, watched: its lines with their times, its moments, its end."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from faults import study

PATIENCE = 120.0  # seconds after which a run counts as stuck


class Run:
    """`dvc repro TARGETS` in a workspace; `lines` holds (seconds since the start, text)."""

    def __init__(self, folder: Path, url: str, *targets: str):
        self.folder, self.targets = folder, targets
        self.began = time.monotonic()
        self.process = study.start(folder, url, *targets)
        self.lines: list[tuple[float, str]] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append((time.monotonic() - self.began, line.rstrip()))

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.began

    def text(self) -> str:
        """Return all that was said."""
        return "\n".join(text for _, text in self.lines)

    def wait(self) -> int:
        """Wait for the end; return the exit status."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise RuntimeError(f"stuck:\n{self.text()[-2000:]}") from None
        self.reader.join(2)  # an orphan may hold the pipe
        return status

    def until(self, pattern: str, count: int = 1) -> float | None:
        """Wait for the `count`th line that has `pattern`; return its time, None at the end."""
        while True:
            ended = self.process.poll() is not None
            found = [at for at, text in list(self.lines) if re.search(pattern, text)]
            if len(found) >= count:
                return found[count - 1]
            if ended or self.now() > PATIENCE:
                return None
            time.sleep(0.01)

    def after(self, moment: float) -> bool:
        """Sleep until `moment` seconds since the start; False if the run ended before."""
        while self.now() < moment and self.process.poll() is None:
            time.sleep(0.005)
        return self.process.poll() is None

    def kill(self, target: str, how: signal.Signals) -> bool:
        """Send a signal to the group, dvc, stage, child or server; False if it is not there."""
        if target == "group":
            os.killpg(self.process.pid, how)
            return True
        role = self.process.pid if target == "dvc" else study.roles(self.folder).get(target)
        if role is None:
            return False
        try:
            os.kill(role, how)
        except ProcessLookupError:
            return False
        return True

    def units(self, stage: str) -> list[tuple[float, str]]:
        """Return when epochs or levels of a stage ended, and which."""
        key = re.escape(stage.partition("@")[2])
        pattern = rf"^{key}: (epoch \d+|\d+% of the weights)"
        found = [(at, re.search(pattern, text)) for at, text in self.lines]
        return [(at, match[1]) for at, match in found if match]

    def left(self) -> list[study.Process]:
        """Return the processes that go on writing two seconds later."""
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and study.writers(self.folder):
            time.sleep(0.05)
        return study.writers(self.folder)

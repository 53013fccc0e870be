"""Faults that end processes or damage files: what each does around a run of `dvc repro`."""

import random
import re
import signal
from pathlib import Path

from faults import study
from faults.run import Run

KILL, TERM = signal.SIGKILL, signal.SIGTERM


class Fault:
    """A fault in one kind of stage. A subclass overrides what it needs."""

    name = ""
    stages: tuple[str, ...] = tuple(study.STAGES)

    def before(self, folder: Path, stage: str, rng: random.Random) -> None:
        """Prepare the workspace for the run that is to fail."""

    def during(self, run: Run, stage: str, seconds: float, rng: random.Random) -> float | None:
        """Do it; return when, or None where the run ended before. `seconds`: a whole stage's."""
        raise NotImplementedError

    def after(self, folder: Path, run: Run, stage: str) -> list[str]:
        """Mend the world; return what was not as promised."""
        return []


class Killed(Fault):
    """A signal at a random moment."""

    def __init__(self, target: str, signals: tuple = (KILL, TERM), told: str = ""):
        self.target, self.signals, self.count = target, signals, 0
        names = "/".join(item.name for item in signals)
        words = {
            "group": "to the whole process group",
            "dvc": "to dvc alone",
            "stage": "to the stage's process alone",
            "child": "to the warm stage's forked process",
            "server": "to the warm server",
        }
        self.name = told or f"{names} {words[target]}"
        if target in ("child", "server"):
            self.stages = ("teach", "distill", "prune")

    def during(self, run: Run, stage: str, seconds: float, rng: random.Random) -> float | None:
        """Send the signal; one after the other of `signals`."""
        begin = run.until(f"^Running stage '{re.escape(stage)}'")
        if begin is None or not run.after(begin + rng.uniform(0, 0.6 * seconds)):
            return None
        how = self.signals[self.count % len(self.signals)]
        while not run.kill(self.target, how):  # its process may not be there yet
            if run.process.poll() is not None:
                return None
        self.count += 1
        return run.now()

    def after(self, folder: Path, run: Run, stage: str) -> list[str]:
        """Look for processes that go on, and for tracebacks."""
        left = [f"{item.command} goes on" for item in run.left()]
        return left + (["a traceback"] if "Traceback" in run.text() else [])


class Damaged(Killed):
    """The process group is killed, and its unfinished work damaged."""

    name = "unfinished work truncated, bit-flipped or emptied"
    stages = ("teach", "distill", "prune")

    def __init__(self):
        super().__init__("group", (KILL,), self.name)

    def during(self, run: Run, stage: str, seconds: float, rng: random.Random) -> float | None:
        """Kill after the first epoch or level of this run."""
        key = re.escape(stage.partition("@")[2])
        at = run.until(rf"^{key}: (epoch|\d+%)", 2)
        if at is None or not run.after(at + rng.uniform(0.05, 0.3)):
            return None
        run.kill("group", KILL)
        return run.now()

    def after(self, folder: Path, run: Run, stage: str) -> list[str]:
        """Damage the newest file, one way after the other."""
        problems = super().after(folder, run, stage)
        for file in (folder / ".run/unfinished").glob("*.ckpt"):
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 4
            ways = [bytes(content), file.read_bytes()[: len(content) // 3], b""]
            file.write_bytes(ways[self.count % 3])
        self.count += 1
        return problems


class CutLock(Fault):
    """dvc.lock as DVC leaves it when killed while it writes it: empty, for it does so in place."""

    name = "dvc.lock emptied (DVC killed while it writes it)"
    stages = ("teach",)

    def during(self, run: Run, stage: str, seconds: float, rng: random.Random) -> float | None:
        """Let the stage end, and empty the file."""
        begin = run.until("^Running stage")
        if run.wait() or begin is None:  # where nothing ran, DVC wrote nothing
            return None
        (run.folder / "dvc.lock").write_bytes(b"")
        return begin

"""Runs instances in the user's own folder, a few at once: `dvc --wait-for-lock repro -s NAME` each.

DVC itself writes dvc.lock, once an instance, and waits for its own locks.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

from kdprune.errors import KdpruneError
from kdprune.running import group
from kdprune.running.scheduler import Done

LOGS = Path(".run/log")
KEPT = Path(".run/dvc.lock")  # the copy that each stage keeps as it begins
MEND = ("kdprune.stages", "runner.mend", "files")
NO_ROOM = "has no memory left"  # kdprune.errors says so of a machine and of a device
LAST = 20  # lines of a failed instance that are shown


class Here:
    """Slots of this machine: each a set of environment variables, such as KDPRUNE_DEVICE."""

    def __init__(self, slots: Sequence[Mapping[str, str]], folder: Path = Path()) -> None:
        self.slots, self.folder = slots, folder
        self._pool = ThreadPoolExecutor(max_workers=len(slots))
        self._running: dict[str, subprocess.Popen] = {}
        self._stopping = False

    def submit(self, slot: int, name: str) -> "Future[Done]":
        """Start an instance of dvc.yaml, such as prune@KEY, on a slot."""
        return self._pool.submit(self._run, slot, name)

    def stop(self) -> None:
        """End whatever runs, with all that it started."""
        self._stopping = True
        for process in list(self._running.values()):
            group.tell(process.pid, signal.SIGTERM)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, slot: int, name: str) -> Done:
        log = self.folder / log_of(name)
        start = time.monotonic()
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as file:
                status = self._ran(slot, name, file)
            content = log.read_bytes()
        except OSError as error:  # no room for the log, or for another process
            return Done(1, time.monotonic() - start, f"{log}: {error.strerror or error}")
        status = group.told(status, content)
        tail = b"\n".join(content.splitlines()[-LAST:]).decode(errors="replace")
        taken = time.monotonic() - start
        return Done(status, taken, tail if status else "", crowded=bool(status and NO_ROOM in tail))

    def _ran(self, slot: int, name: str, log: IO[bytes]) -> int:
        process = group.start(["repro", "-s", name], self.folder, self.slots[slot], log)
        self._running[name] = process
        if self._stopping:  # `stop` may have looked before it was there
            group.tell(process.pid, signal.SIGTERM)
        status = group.wait(process)
        del self._running[name]
        return status


def log_of(name: str) -> Path:
    """Return the file, below a study's folder, of what an instance says."""
    return LOGS / f"{name.replace('@', '-')}.txt"


def stale(
    names: Sequence[str], needs: Mapping[str, Sequence[str]], folder: Path, *, mend: bool = False
) -> list[str]:
    """Return those of `names` that DVC calls changed, and all that depend on them, in order.

    With `mend`, a dvc.lock that a kill cut off is put back first: DVC writes it in place, and of
    one that ends too early it would run again what is done. Raises KdpruneError with DVC's own
    words where it tells nothing.
    """
    if mend and (folder / KEPT).exists():
        subprocess.run([sys.executable, "-m", *MEND], cwd=folder)
    # dvc status reads its files anew for each name that it is given, so it is given few
    kinds = dict.fromkeys(name.partition("@")[0] for name in names)
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "status", "--json", *kinds]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        told = " ".join(done.stderr.removeprefix("ERROR: ").split()) or "`dvc status` failed"
        raise KdpruneError(
            f"dvc cannot tell what is stale: {told}; after a kill, `make mend` mends DVC's files"
        )
    changed = set(json.loads(done.stdout or "{}"))
    for name in names:  # in the order of the stages, so that what is needed comes first
        if changed & set(needs[name]):
            changed.add(name)
    return [name for name in names if name in changed]


def cache() -> Path:
    """Return the folder of DVC's cache."""
    told = [sys.executable, "-m", "dvc", "cache", "dir"]
    said = subprocess.run(told, capture_output=True, text=True, check=True).stdout
    return Path(said.strip()).resolve()

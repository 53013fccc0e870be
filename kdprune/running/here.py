"""Runs instances in the user's own folder, a few at once: `dvc --wait-for-lock repro -s NAME` each.

DVC itself writes dvc.lock, once an instance, and waits for its own locks.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.records import read_json
from kdprune.running.scheduler import Done

LOGS = Path(".run/log")
NO_ROOM = "has no memory left"  # kdprune.errors says so of a machine and of a device
TRIES = 3
LAST = 20  # lines of a failed instance that are shown
ENTRY = re.compile(r"^  (\S.*):$", flags=re.MULTILINE)  # an instance in dvc.lock
ENDED = re.compile(rb"exited with (-?\d+)")  # DVC's own status says only that a stage failed


class Here:
    """Slots of this machine: each a set of environment variables, such as KDPRUNE_DEVICE."""

    def __init__(self, slots: Sequence[Mapping[str, str]], folder: Path = Path()) -> None:
        self.slots, self.folder = slots, folder
        self._pool = ThreadPoolExecutor(max_workers=len(slots))
        self._running: dict[str, subprocess.Popen] = {}

    def submit(self, slot: int, name: str) -> "Future[Done]":
        """Start an instance of dvc.yaml, such as prune@KEY, on a slot."""
        return self._pool.submit(self._run, slot, name)

    def stop(self) -> None:
        """End whatever runs, with all that it started."""
        for process in list(self._running.values()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, slot: int, name: str) -> Done:
        log = self.folder / LOGS / f"{name.replace('@', '-')}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        dvc = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "-s", name]
        start = time.monotonic()
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "kdprune.running.child", *dvc],
                cwd=self.folder,
                env={**environment(), **self.slots[slot]},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[name] = process
            status = process.wait()
            del self._running[name]
        content = log.read_bytes()
        if status and (told := ENDED.findall(content)):
            status = int(told[-1])
        tail = b"\n".join(content.splitlines()[-LAST:]).decode(errors="replace")
        taken = time.monotonic() - start
        return Done(status, taken, tail if status else "", crowded=bool(status and NO_ROOM in tail))


def names_of(lock: Path) -> list[str]:
    """Return the instances in a lock file, in its order; none where there is no file."""
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    return ENTRY.findall(text)


def order_before(now: Sequence[str], kept: Path) -> list[str]:
    """Return the order that dvc.lock had before the run that was cut short, else the one of `now`.

    A driver that was killed has left its instances in the order in which they ended.
    """
    with contextlib.suppress(OSError, ValueError):
        if isinstance(held := read_json(kept), list):
            return [str(name) for name in held]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with replacing(kept) as temporary:
        temporary.write_text(json.dumps(list(now)), encoding="utf-8")
    return list(now)


def in_order(lock: Path, before: Sequence[str]) -> None:
    """Give a lock file the order of a serial run: what it had `before`, then DVC's own order.

    DVC appends an instance when it ends, and those that run side by side end in any order.
    """
    text = lock.read_text(encoding="utf-8")
    head, *parts = ENTRY.split(text)
    entries = dict(zip(parts[::2], parts[1::2], strict=True))
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--dry", "--force"]
    for _ in range(TRIES):  # on a busy machine DVC may find one of its own files in use
        told = subprocess.run(command, cwd=lock.parent, capture_output=True, text=True)
        serial = re.findall(r"^Running stage '([^']+)'", told.stdout, flags=re.MULTILINE)
        if told.returncode == 0:
            break
    else:
        print(f"kdprune: dvc.lock is in another order: {told.stderr[-200:]}", file=sys.stderr)
    known = [name for name in dict.fromkeys([*before, *serial]) if name in entries]
    order = dict.fromkeys([*known, *entries])
    whole = head + "".join(f"  {name}:{entries[name]}" for name in order)
    if whole != text:
        with replacing(lock) as temporary:
            temporary.write_text(whole, encoding="utf-8")


def environment() -> dict[str, str]:
    """Return our own, in which `python`, as dvc.yaml calls it, is this interpreter."""
    own = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{own}{os.pathsep}{os.environ.get('PATH', '')}"}


def stale(names: Sequence[str], needs: Mapping[str, Sequence[str]], folder: Path) -> list[str]:
    """Return those of `names` that DVC calls changed, and all that depend on them, in order.

    Raises KdpruneError with DVC's own words where it tells nothing.
    """
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "status", "--json", *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        told = " ".join(done.stderr.removeprefix("ERROR: ").split()) or "`dvc status` failed"
        raise KdpruneError(f"dvc cannot tell what is stale: {told}")
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

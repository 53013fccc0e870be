"""Runs a command in a group of processes of its own, and sees the whole group end."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

ENDING = 5.0  # seconds in which what a killed leader left must end
ENDED = re.compile(rb"exited with (-?\d+)")


def start(
    arguments: Sequence[str], folder: Path, variables: Mapping[str, str], output: IO[bytes]
) -> subprocess.Popen:
    """Start `dvc --wait-for-lock` with `arguments`, in a group that is gone when we are.

    It writes to a file, not a pipe: a pipe is open for as long as anything that it left.
    """
    words = ["dvc", "--wait-for-lock", *arguments]
    return _start(words, folder, variables, stdout=output, stderr=subprocess.STDOUT)


def run(
    words: Sequence[str],
    folder: Path = Path(),
    variables: Mapping[str, str] | None = None,
    output: TextIO | None = None,
) -> int:
    """Run `python -m` with `words` in a group that is gone when we are; return its exit status.

    It writes where we do, or to `output`. What interrupts us ends it, with all that it started.
    """
    process = _start(words, folder, variables or {}, stdout=output)
    try:
        return wait(process)
    except BaseException:
        tell(process.pid, signal.SIGTERM)
        wait(process)
        raise


def _start(
    words: Sequence[str], folder: Path, variables: Mapping[str, str], **streams: Any
) -> subprocess.Popen:
    python = [sys.executable, "-m"]
    return subprocess.Popen(
        [*python, "kdprune.running.child", *python, *words],
        cwd=folder,
        env={**environment(), **variables},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        **streams,
    )


def wait(process: subprocess.Popen) -> int:
    """Return the exit status, once the whole group has ended."""
    status = process.wait()
    end(process.pid)
    return status


def end(leader: int) -> None:
    """End what is left of a group whose leader was killed, and could not do it itself.

    Its DVC would hold the files of the instance, which runs once more.
    """
    begun, told = time.monotonic(), int(signal.SIGTERM)
    # What has ended and is reaped by nobody, as in some containers, stays in the group
    while tell(leader, told) and time.monotonic() < begun + 2 * ENDING:
        told = signal.SIGKILL if time.monotonic() > begun + ENDING else 0
        time.sleep(0.05)


def tell(group: int, signal_: int) -> bool:
    """Send a signal to a group; say whether it has processes."""
    try:
        os.killpg(group, signal_)
    except ProcessLookupError:
        return False
    return True


def told(status: int, output: bytes) -> int:
    """Return the stage's exit status where DVC tells it; its own says only that one failed."""
    found = ENDED.findall(output) if status else []
    return int(found[-1]) if found else status


def environment() -> dict[str, str]:
    """Return our own, in which `python`, as dvc.yaml calls it, is this interpreter."""
    own = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{own}{os.pathsep}{os.environ.get('PATH', '')}"}

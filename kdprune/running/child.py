"""Runs one command, and ends it with all that it started when its own parent is gone.

python -m kdprune.running.child COMMAND …, started as the leader of a session of its own.
"""

import os
import signal
import subprocess
import sys
import time

WATCH = 0.2  # seconds between two looks at the parent


def main(command: list[str]) -> int:
    """Return the command's exit status, 128 + N after signal N; 128 + SIGTERM where we must end."""
    parent = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    process = subprocess.Popen(command)
    try:
        while process.poll() is None:
            if os.getppid() != parent:
                return 128 + signal.SIGTERM
            time.sleep(WATCH)
        status = process.returncode
        return 128 - status if status < 0 else status
    finally:
        if process.poll() is None:
            _end_group(process)


def _end_group(process: subprocess.Popen) -> None:
    """Ask the group to end, then make it; we are its leader, and go last."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

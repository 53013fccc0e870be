"""Spares stages that follow one another the import of torch, timm and torchvision (about 10 s).

The first torch stage of a `dvc repro` starts a server, which imports those libraries, and nothing
of this project, once. For each stage it forks: the child takes over the caller's arguments, working
folder, environment and terminal, and runs the stage as a fresh process would, without the wait.
The server computes nothing and holds no state, so the results are those of a cold start.

It ends when no stage has come for 15 seconds. A stage whose caller dies is killed. KDPRUNE_WARM=0
turns all this off; Windows, which cannot fork, never has it.
"""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

START_TIMEOUT = 120.0  # seconds in which the server must have imported everything
PASSED_ON = ("DVC_", "KDPRUNE_")  # variables that libraries do not read while they are imported
PER_PROCESS = ("PWD", "OLDPWD", "SHLVL", "_", "PYTEST_CURRENT_TEST")  # say who calls, not how


def run(arguments: list[str], *, start: bool) -> int:
    """Run a stage in a child of the server, which `start` allows to be started.

    Returns the stage's exit status. Falls back to a cold start where no server can be had.
    """
    hold_standard()
    if os.environ.get("KDPRUNE_WARM", "1") == "0" or not hasattr(os, "fork"):
        return _cold(arguments)
    connection = _connect()
    if connection is None and start:
        from stages.runner.run import check

        if status := check():
            return status
        connection = _start()
    if connection is None:
        return _cold(arguments)
    with connection:
        return _delegate(connection, arguments)


def address() -> Path:
    """Return the server's socket, one per interpreter, environment and bounds.

    Relative to the project, for a path of more than 100 bytes can't be a socket's name.
    """
    relevant = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name not in PER_PROCESS and not name.startswith(PASSED_ON)
    )
    told = sys.executable, relevant, bounds()
    return Path(".run") / f"warm-{hashlib.sha256(repr(told).encode()).hexdigest()[:12]}.sock"


def bounds() -> list[object]:
    """Return what a child has from its parent beside the environment: umask, nice, cores, limits.

    A server has those of the caller that started it, and passes them on to its stages.
    """
    import resource  # not on Windows

    umask = os.umask(0o077)
    os.umask(umask)
    names = sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))
    limits = [resource.getrlimit(getattr(resource, name)) for name in names]
    conditions: list[object] = [umask, os.getuid(), os.getgid(), os.nice(0), limits]
    if hasattr(os, "sched_getaffinity"):
        conditions += [sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0)]
    for name in ("cgroup", "oom_score_adj"):  # Linux: a container's or a unit's share of memory
        try:
            conditions.append(Path(f"/proc/self/{name}").read_text())
        except OSError:
            continue
    return conditions


def hold_standard() -> None:
    """Open the standard files that the caller closed, on nothing.

    Else a socket would get their numbers, be passed on as the stage's input, and so outlive us.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one


def _cold(arguments: list[str]) -> int:
    from stages.runner.run import run as run_here

    return run_here(arguments)


def _connect() -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(address()))
    except OSError:
        connection.close()
        return None
    return connection


def _start() -> socket.socket | None:
    """Start the server, wait until it listens, and connect."""
    try:
        address().parent.mkdir(exist_ok=True)
    except OSError:  # no place for a socket; the stage itself tells of it
        return None
    server = subprocess.Popen(
        [sys.executable, "-m", "stages.runner.server"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the stage; the server sees that its caller died
    )
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and server.poll() is None:
        if connection := _connect():
            return connection
        time.sleep(0.05)
    return None


def _delegate(connection: socket.socket, arguments: list[str]) -> int:
    """Hand the stage over; wait for its exit status. Our death closes the socket and ends it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    request = repr((arguments, os.getcwd(), dict(os.environ))).encode()
    header = len(request).to_bytes(8, "big")
    try:
        socket.send_fds(connection, [header], [0, 1, 2])
        connection.sendall(request)
    except OSError:  # the server ended in this moment, for want of stages
        return _cold(arguments)
    try:
        status = connection.recv(1)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except ConnectionResetError:  # it ended before it took the request
        return _cold(arguments)
    except OSError:
        status = b""
    if not status:
        print("kdprune: the stage's process was killed; run the command again", file=sys.stderr)
        return 1
    return status[0]

"""The process that forks warm stages (see stages.runner.warm): python -m stages.runner.server."""

import ast
import contextlib
import importlib
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

from stages.runner.warm import address

LIBRARIES = (
    "pandas",
    "pydantic",
    "safetensors.torch",
    "yaml",
    "timm",
    "torch_pruning",
    "tqdm",
    "dvclive",
)
LATER = ("scipy.stats", "kneed", "seaborn")  # for analysis: imported while the first stage runs
IDLE = 15.0  # seconds without a stage after which the server ends


def serve() -> None:
    """Fork a child per connection until none has come for a while."""
    path = address()  # first, for an imported library may change the environment
    for library in LIBRARIES:  # nothing of this project: a child must see the files as they are
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    with _listen(path) as listener, selectors.DefaultSelector() as selector:
        ours = path.stat().st_ino
        selector.register(listener, selectors.EVENT_READ)
        children: dict[int, socket.socket] = {}
        last, later = time.monotonic(), list(LATER)
        while children or time.monotonic() - last < IDLE:
            for key, _ in selector.select(timeout=0.02 if children else 0.5):
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    children[_fork(connection, [listener, *children.values()])] = connection
                    selector.register(connection, selectors.EVENT_READ)
                else:  # nothing is ever sent to us again: the caller has gone
                    selector.unregister(key.fileobj)
                    _end(next(pid for pid, held in children.items() if held is key.fileobj))
            if children and later:
                with contextlib.suppress(ImportError):
                    importlib.import_module(later.pop(0))
            _reap(children, selector)
            last = time.monotonic() if children else last
        with contextlib.suppress(OSError):
            if path.stat().st_ino == ours:  # else a younger server listens there
                path.unlink()


def _listen(path: Path) -> socket.socket:
    """Listen on the socket, under a private name first, so that only one server answers to it."""
    private = path.with_name(f"{os.getpid()}.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(private))
    private.chmod(0o600)
    listener.listen()
    private.replace(path)
    return listener


def _fork(connection: socket.socket, others: list[socket.socket]) -> int:
    """Fork; the child becomes the stage that is asked for. Returns the child's process id."""
    request, handles = _receive(connection)
    server = os.getpid()
    child = os.fork()
    if child:
        for handle in handles:
            os.close(handle)
        return child
    status = 1
    try:
        for held in (connection, *others):
            held.close()
        status = _become(request, handles, server)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _receive(connection: socket.socket) -> tuple[str, list[int]]:
    """Read a request and the caller's three standard files. It is whole before any fork:
    what can be read from a connection later means that the caller has gone.
    """
    header, handles, *_ = socket.recv_fds(connection, 8, 3)
    length, request = int.from_bytes(header, "big"), b""
    while len(request) < length:
        part = connection.recv(length - len(request))
        if not part:
            break
        request += part
    return request.decode(), list(handles)


def _become(request: str, handles: list[int], server: int) -> int:
    """Take over the caller's files, folder, environment and arguments; run the stage.

    Ends with the server, which alone can end it when the caller dies.
    """
    arguments, folder, environment = ast.literal_eval(request)
    for target, handle in enumerate(handles):
        os.dup2(handle, target)
        os.close(handle)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["stages", *arguments]
    os.setsid()  # its own group, so that it can be ended with whatever it starts
    from stages.runner.run import end_with_parent, run

    end_with_parent(server)
    return run(arguments)


def _reap(children: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    """Tell callers whose stage has ended how it ended."""
    for pid in list(children):
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            continue
        connection = children.pop(pid)
        with contextlib.suppress(OSError, KeyError, ValueError):
            selector.unregister(connection)
        with contextlib.suppress(OSError):
            if os.WIFEXITED(status):  # a killed stage sends nothing: the caller sees the end
                connection.sendall(bytes([os.WEXITSTATUS(status)]))
        connection.close()


def _end(pid: int) -> None:
    """Kill a stage whose caller has gone, with whatever it started."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()

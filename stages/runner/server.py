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
SILENCE = 5.0  # seconds in which a caller must have said all that it wants
LONGEST = 2**24  # bytes of a request, which is about as long as the environment
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
        waiting: dict[socket.socket, Request] = {}
        last, later = time.monotonic(), list(LATER)
        while children or time.monotonic() - last < IDLE:
            for key, _ in selector.select(timeout=0.02 if children else 0.5):
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    connection.setblocking(False)
                    waiting[connection] = Request()
                    selector.register(connection, selectors.EVENT_READ, connection)
                elif request := waiting.get(key.data):
                    if request.read(key.data):
                        del waiting[key.data]
                        others = [listener, *waiting, *children.values()]
                        children[_fork(request, [key.data, *others])] = key.data
                else:  # nothing is ever sent to us again: the caller has gone
                    selector.unregister(key.fileobj)
                    _end(next(pid for pid, held in children.items() if held is key.fileobj))
            for connection in [one for one, request in waiting.items() if request.lost()]:
                waiting.pop(connection).close()
                selector.unregister(connection)
                connection.close()
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


class Request:
    """What a caller sends, as it comes: 8 bytes that say how long it is, with the caller's three
    standard files, and then a text. It is whole before any fork: what can be read from a connection
    later means that the caller has gone.
    """

    def __init__(self) -> None:
        self.handles: list[int] = []
        self._content = b""
        self._broken = False
        self._until = time.monotonic() + SILENCE

    def read(self, connection: socket.socket) -> bool:
        """Read what is there, without waiting; return whether the request is whole."""
        try:
            part, handles, *_ = socket.recv_fds(connection, 2**16, 3)
        except BlockingIOError:
            return False
        except OSError:
            part, handles = b"", []
        self.handles += handles
        self._content += part
        length = int.from_bytes(self._content[:8], "big")
        self._broken = not part or length > LONGEST or len(self.handles) > 3
        return not self._broken and len(self._content) >= max(8, 8 + length)

    def lost(self) -> bool:
        """Say whether it will never be whole: the caller has gone, is silent or is none of ours."""
        return self._broken or time.monotonic() > self._until

    def text(self) -> str:
        """Return what was asked for."""
        return self._content[8:].decode()

    def close(self) -> None:
        """Close the caller's files."""
        for handle in self.handles:
            os.close(handle)


def _fork(request: Request, others: list[socket.socket]) -> int:
    """Fork; the child becomes the stage that is asked for. Returns the child's process id."""
    server = os.getpid()
    child = os.fork()
    if child:
        request.close()
        return child
    status = 1
    try:
        for held in others:
            held.close()
        status = _become(request.text(), request.handles, server)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


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

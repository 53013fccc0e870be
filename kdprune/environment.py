"""Says in one line that the libraries are missing, where a command runs without its environment."""

import os
import sys
from types import TracebackType

OURS = ("kdprune", "stages", "conf")  # a module of these that lacks is a fault of the program


def excuse() -> None:
    """End the process with one line, and status 2, when a library that it imports is not there.

    For entry points, before their other imports.
    """
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        name = (getattr(error, "name", None) or "").partition(".")[0]
        if not isinstance(error, ModuleNotFoundError) or not name or name in OURS:
            before(kind, error, trace)
            return
        told = (
            f"kdprune: {name} is not installed for {sys.executable}; run `make setup`, then use "
            "this clone's environment: . .venv/bin/activate"
        )
        print(told, file=sys.stderr, flush=True)
        os._exit(2)  # the status of a fault that the user can mend; a hook cannot return one

    sys.excepthook = hook

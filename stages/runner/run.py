"""Runs a stage in this process: checks the parameters, records the run, tells faults in a line."""

import importlib
import os
import threading
import time
from typing import Any

from kdprune.errors import status_of


def run(arguments: list[str]) -> int:
    """Run stage `arguments[0]` for the instance `arguments[1]`; return the exit status.

    2 stands for a fault that the user can mend, told in one line on stderr.
    """
    from stages.runner import inputs

    name, *instance = arguments
    key, content = "".join(instance), inputs.content()
    before: dict[str, Any] = {}

    def look() -> None:  # before any code that it names is imported
        before.update(inputs.seen(name, key, content))

    def work() -> None:
        from stages.runner.live import drawn
        from stages.runner.mend import keep_lock
        from stages.runner.place import shown
        from stages.runner.record import recorded

        keep_lock()
        importlib.import_module("kdprune.study.pinned").check(inputs.deps(name, key, content))
        if name == "download":
            importlib.import_module("stages.runner.pictures").check()
        importlib.import_module("kdprune.planning.rehearsal").before(name)
        with (
            shown(name, key),
            recorded(name, key),
            inputs.unchanged(name, key, before),
            drawn(name, key),
        ):
            importlib.import_module(f"stages.{name}").main(*instance)

    if status := status_of(look):
        return status
    from kdprune.config.params import held

    with held(content):
        return check() or status_of(work)


def check() -> int:
    """Validate params.yaml, before torch is imported; return the exit status."""
    from kdprune.config.params import load
    from kdprune.study.code import check_tree

    return status_of(check_tree) or status_of(load)


def end_with_parent(parent: int | None = None) -> None:
    """End this process when its parent does: dvc, killed, leaves its stage running otherwise.

    `parent` is the process id to expect, for a parent that may be gone already. Of DVC's, nobody
    knows it: one that was killed while this process began has left it to a process of another
    session, which would be waited for without end.
    """
    if parent is None and "DVC_STAGE" in os.environ and _adopted():
        os._exit(143)
    parent = parent or os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(143)

    threading.Thread(target=watch, daemon=True).start()


def _adopted() -> bool:
    """Whether the parent cannot have started this process: it is gone, or of another session."""
    try:
        return os.getsid(os.getppid()) != os.getsid(0)
    except AttributeError:  # on Windows, whose processes keep their dead parents
        return False
    except OSError:
        return True

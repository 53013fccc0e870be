"""Run one stage, as dvc.yaml does: python -m stages STAGE [INSTANCE]."""

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable

from stages import warm

TORCH_STAGES = ("teach", "distill", "prune", "measure")
STAGES = ("download", *TORCH_STAGES, "breakpoints", "efficiency", "significance", "report")
PER_INSTANCE = STAGES[:4]


def run(arguments: list[str]) -> int:
    """Run stage `arguments[0]` for the instance `arguments[1]`; return the exit status.

    2 stands for a fault that the user can mend, told in one line on stderr.
    """
    name, *instance = arguments
    return check() or _told(lambda: importlib.import_module(f"stages.{name}").main(*instance))


def check() -> int:
    """Validate params.yaml, before torch is imported; return the exit status."""
    from kdprune.params import load

    return _told(load)


def _told(work: Callable[[], object]) -> int:
    from kdprune.errors import KdpruneError

    try:
        work()
    except KdpruneError as error:
        print(f"kdprune: {error}", file=sys.stderr)
        return 2
    return 0


def end_with_parent() -> None:
    """End this process when its parent does: dvc, killed, leaves its stage running otherwise."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(143)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    given = sys.argv[1:]
    if not given or given[0] not in STAGES or len(given) != 1 + (given[0] in PER_INSTANCE):
        print(f"kdprune: python -m stages STAGE [INSTANCE]: {', '.join(STAGES)}", file=sys.stderr)
        sys.exit(2)
    # a process that has the libraries imported; it is started for torch only
    sys.exit(warm.run(given, start=given[0] in TORCH_STAGES))

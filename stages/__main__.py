"""Run one stage, as dvc.yaml does: python -m stages STAGE [INSTANCE]."""

import errno
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from stages import warm

TORCH_STAGES = ("teach", "distill", "prune", "measure")
ANALYSES = ("breakpoints", "efficiency", "significance", "summary", "report")
STAGES = ("download", *TORCH_STAGES, *ANALYSES)
PER_INSTANCE = ("download", "teach", "distill", "prune", "summary")


# What a disk answers, and what to do about it
REMEDIES = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EROFS: "make it writable",
    errno.EACCES: "see to its permissions",
    errno.EPERM: "see to its permissions",
    errno.EIO: "check the disk",
}

SMALLER = (
    "lower teach.batch_size, distill.training.batch_size or prune.finetune.batch_size, or end what "
    "else runs there, and run the command again"
)


def run(arguments: list[str]) -> int:
    """Run stage `arguments[0]` for the instance `arguments[1]`; return the exit status.

    2 stands for a fault that the user can mend, told in one line on stderr.
    """
    name, *instance = arguments

    def work() -> None:
        from stages.live import drawn
        from stages.mend import keep_lock
        from stages.place import announce
        from stages.record import recorded

        keep_lock()
        announce(name, *instance)
        with recorded(name, "".join(instance)), drawn(name, "".join(instance)):
            importlib.import_module(f"stages.{name}").main(*instance)

    return check() or _told(work)


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
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        print(f"kdprune: {_storage(error)} and run the command again", file=sys.stderr)
        return 2
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which may not be imported
            raise
        print(f"kdprune: the device has no memory left; {SMALLER}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _storage(error: OSError) -> str:
    """Say which file the disk refused, why, and what to do."""
    path = error.filename or "a file"
    unreadable = os.path.isfile(path) and not os.access(path, os.R_OK)
    number = error.errno or 0
    verb = "read" if unreadable or number == errno.EIO else "write"
    return f"cannot {verb} {path}: {os.strerror(number)}; {REMEDIES[number]}"


def end_with_parent(parent: int | None = None) -> None:
    """End this process when its parent does: dvc, killed, leaves its stage running otherwise.

    `parent` is the process id to expect, for a parent that may be gone already.
    """
    parent = parent or os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(143)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    given = sys.argv[1:]
    if not given or given[0] not in STAGES or len(given) != 1 + (given[0] in PER_INSTANCE):
        print(f"kdprune: python -m stages STAGE [INSTANCE]: {', '.join(STAGES)}", file=sys.stderr)
        sys.exit(2)
    # a process that has the libraries imported; it is started for torch only
    try:
        sys.exit(warm.run(given, start=given[0] in TORCH_STAGES))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)

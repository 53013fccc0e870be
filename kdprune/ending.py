"""How a command ends: its exit status, whatever becomes of its standard streams."""

import sys
from collections.abc import Callable

from kdprune import terminal
from kdprune.errors import status_of


def ended(work: Callable[[], int | object]) -> int:
    """Do `work` with streams that take any text; return the exit status, as `status_of` does.

    0 also where the reader of the output, such as `head`, has seen enough.
    """

    def flushed() -> int | object:
        try:
            return work()
        finally:
            sys.stdout.flush()

    terminal.ready()
    try:
        status = status_of(flushed)
    except BrokenPipeError:
        terminal.abandon()  # for the flush at exit
        return 0
    try:
        sys.stdout.flush()
    except OSError:  # told already, by `status_of`
        terminal.abandon()
    return status

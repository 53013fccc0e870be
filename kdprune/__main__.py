"""The command line: python -m kdprune COMMAND (see kdprune.cli)."""

import os
import sys
from collections.abc import Sequence

from kdprune import cli, versions
from kdprune.errors import status_of
from kdprune.study.code import check_tree


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (default: those of the process) name; return its status.

    0: done. 1: a question that has no answer, such as limits that no network meets. 2: a fault
    that the user can mend, told in one line on stderr. 130: interrupted. What else goes wrong is
    raised, and ends with the versions that an issue needs.
    """
    given = cli.parser().parse_args(arguments)

    def work() -> int:
        check_tree()
        status = given.run(given)
        sys.stdout.flush()
        return status

    try:
        with versions.noted():
            return status_of(work)
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 0


if __name__ == "__main__":
    sys.exit(main())

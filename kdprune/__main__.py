"""The command line: python -m kdprune COMMAND (see kdprune.cli)."""

import sys
from collections.abc import Sequence

from kdprune import environment

environment.excuse()

from kdprune import cli, versions  # noqa: E402
from kdprune.ending import ended  # noqa: E402
from kdprune.study.code import check_tree  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (default: those of the process) name; return its status.

    0: done. 1: a question that has no answer, such as limits that no network meets. 2: a fault
    that the user can mend, told in one line on stderr. 130: interrupted. What else goes wrong is
    raised, and ends with the versions that an issue needs.
    """

    def work() -> int:
        check_tree()
        cli.refuse_empty(sys.argv[1:] if arguments is None else arguments)
        given = cli.parser().parse_args(arguments)
        return given.run(given)

    with versions.noted():
        return ended(work)


if __name__ == "__main__":
    sys.exit(main())

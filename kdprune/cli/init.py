"""kdprune init: a study in a folder of its own, run from the installed package."""

import argparse
import shlex
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Make a study in a folder of its own: dvc.yaml, params.yaml and conf/, in the form of this project,
and a git repository, unless the folder is in one (that does not ignore it). The installed package
runs the stages.

code/ names the code that made the results. A stage refuses to run with other code. --update writes
code/ and dvc.yaml for the installed version. Then only the stages whose code has changed run again.
"""
EXAMPLE = """\
examples:
  kdprune init photos-study
  cd photos-study && dvc repro
  kdprune init --update .      after an upgrade of kdprune
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "init",
        help="make a study in a folder of its own",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--update", action="store_true", help="take up the installed version")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Make the study; print what comes next. Raises KdpruneError where it cannot be made."""
    from kdprune.study import founding
    from kdprune.terminal import printable

    folder: Path = given.folder
    if given.update:
        changed = founding.update(folder)
        told = "was of this code already"
        if changed:
            told = f"{len(changed)} parts of the code are others, such as {changed[0]}"
        print(f"{printable(folder)}: {told}; `dvc status` tells what is stale")
        return 0
    if not founding.resumed(folder):
        with founding.whole(folder) as staged:
            founding.found(staged)
            founding.compose(staged)
            founding.commit(staged, "A study, by kdprune init")
    go = printable(f"cd {shlex.quote(str(folder))} && dvc repro")
    print(f"{printable(folder)}: a study; `{go}` runs it, conf/ is what you edit")
    return 0

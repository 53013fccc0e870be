"""kdprune compare: one question asked of several studies, as a table."""

import argparse
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError
from kdprune.records import IDENTITY
from kdprune.terminal import printable

DESCRIPTION = """\
Tell which pruning is ahead, and how surely, under the conditions of several studies.

A study is a folder with metrics/: this one, or a frozen one in studies/. Bytes are those of each
network's smallest file, as the stage `measure` found it, and of each coding, if the stage
`compress` has run. "tells" is the smallest ratio that n pairs with this spread would show in four
of five studies; its inverse counts alike.

With --alike, only networks and levels that all of the studies have are compared, and breakpoints
are found anew on these levels: studies of fewer networks or coarser levels then differ by their
conditions alone.
"""
EXAMPLE = """\
examples:
  kdprune compare studies/desk studies/table3
  kdprune compare . --first channel --second weight
  kdprune compare --alike studies/desk studies/desk-stem
"""
HEAD = (
    "study",
    "data set",
    "role",
    "distilled by",
    "per",
    "n",
    "ratio",
    "95 % CI",
    "p",
    "by teacher",
    "tells",
)


def add(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "compare",
        help="ask which pruning is ahead in several studies",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("studies", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--first", default="channel", help="a pruning method (channel)")
    parser.add_argument("--second", default="weight", help="the one it is compared with (weight)")
    parser.add_argument(
        "--alike", action="store_true", help="only the networks and levels that all studies have"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print a row per study and condition. Raises KdpruneError where a study has no tables."""
    from kdprune.analysis.conditions import conditions
    from kdprune.study import comparable

    if given.first == given.second:
        raise KdpruneError(f"--second {given.second}: is --first too; name another pruning method")
    if given.alike:
        tables = comparable.by_what_all_have(given.studies)
        print(_what_all_have(next(iter(tables.values()))))
    else:
        tables = {folder: comparable.read(folder) for folder in given.studies}
    studies = {str(folder): held for folder, held in tables.items()}
    rows = conditions(studies, first=given.first, second=given.second)
    if rows.empty:
        raise KdpruneError(f"compare: no study holds both {given.first} and {given.second}")
    print(f"Efficiency by {given.first} pruning over that by {given.second} pruning:")
    _print([HEAD, *[_cells(row) for row in rows.to_dict("records")]])
    return 0


def _what_all_have(tables: dict[str, Any]) -> str:
    sweeps = tables["sweeps"]
    networks = len(sweeps.drop_duplicates(IDENTITY))
    levels = ", ".join(f"{level:g}" for level in sorted(sweeps.level.unique()))
    return (
        f"{networks} networks and the levels {levels} are in all; breakpoints are found on these."
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    def shown(name: str, digits: int) -> str:
        return "-" if row[name] is None or row[name] != row[name] else f"{row[name]:.{digits}f}"

    interval = f"{shown('ratio_low', 2)} to {shown('ratio_high', 2)}"
    words = [row[name] or "-" for name in ("study", "dataset", "role", "distill")]
    figures = [
        shown("ratio", 2),
        interval,
        shown("log_p", 3),
        shown("log_cluster_p", 3),
        shown("tells", 2),
    ]
    return (*words, row["count"], str(row["n"]), *figures)


def _print(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(printable("  ".join(cells).rstrip()))

"""Compares two experiments within a terminal's width: python -m stages.runner.differences A B.

`dvc exp diff` lists the grid, which follows from the other parameters, and pads every line to its
longest value.
"""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from kdprune.ending import ended
from kdprune.errors import KdpruneError
from stages.runner.experiments import short

KINDS = ("params", "metrics")
DERIVED = ("grid.", "trainings.")  # they follow from the other parameters
NAME, VALUE = 52, 22  # characters of a column


def lines(told: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Yield a line per parameter and metric that differs, from what `dvc exp diff --json` gave."""
    for kind in KINDS:
        for file, changes in sorted(told.get(kind, {}).items()):
            kept = {name: item for name, item in changes.items() if not name.startswith(DERIVED)}
            if kept:
                yield file
            for name, item in sorted(kept.items()):
                values = [_cell(item.get(side)) for side in ("old", "new", "diff")]
                yield f"  {_cut(name, NAME):<{NAME}}{''.join(values)}".rstrip()


def _cell(value: Any) -> str:
    return f"{_cut('–' if value is None else short(value), VALUE):>{VALUE}}"


def _cut(text: str, most: int) -> str:
    return textwrap.shorten(text, most - 1, placeholder="…") if len(text) >= most else text


def main(arguments: list[str]) -> int:
    """Print what differs between two experiments or commits."""
    if len(arguments) != 2:
        raise KdpruneError("differences: name two, as in `make differences A=HEAD B=mask`")
    command = [sys.executable, "-m", "dvc", "exp", "diff", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no output"]
        raise KdpruneError(f"dvc exp diff: {said[-1]}")
    found = list(lines(json.loads(done.stdout)))
    print("\n".join(found) or "no parameter or metric differs")
    return 0


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))

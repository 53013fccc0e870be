"""Where a stage stands in a long run: which instance of how many, and how long the rest may take.

It reads the grid and the records of .run/log (stages.runner.record), and changes nothing.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError
from kdprune.progress import duration
from kdprune.records import read_json
from stages.runner.record import FOLDER
from stages.runner.stages import GRID


def announce(stage: str, key: str = "") -> None:
    """Print `told` to stderr, for a stage that has instances and a key that the grid has."""
    from kdprune.config.params import load

    try:
        grid = load().grid
    except KdpruneError:  # the stage itself says what is wrong
        return
    if stage in GRID and key in grid.get(GRID[stage], {}):
        print(told(stage, key, grid), file=sys.stderr, flush=True)


def told(stage: str, key: str, grid: Mapping[str, Mapping[str, Any]], folder: Path = FOLDER) -> str:
    """Return "teach 3 of 14: cifar10-resnet101", with a time where earlier runs are on record.

    The order is the grid's, in which `dvc repro` runs them. The time is that of this instance and
    those after it in its stage, none of them up to date: each as long as its own last whole run,
    or as the mean of those that have one.
    """
    names = list(grid[GRID[stage]])
    position = names.index(key)
    line = f"{stage} {position + 1} of {len(names)}: {key}"
    known = {name: taken for name in names if (taken := _seconds(folder / f"{stage}-{name}.json"))}
    if not known:
        return line
    mean = sum(known.values()) / len(known)
    left = sum(known.get(name, mean) for name in names[position:])
    after = len(names) - position - 1
    rest = f"this and the {after} after it" if after else "this one"
    return f"{line} (about {duration(left)} for {rest}, as earlier runs took)"


def _seconds(path: Path) -> float | None:
    """Return how long the last run took that went from its beginning to its end."""
    try:
        runs = read_json(path)
        whole = [run for run in runs if run["ended"] == "ok" and not run["resumed"]]
        return float(whole[-1]["seconds"])
    except (OSError, ValueError, LookupError, TypeError):  # none, or damaged
        return None

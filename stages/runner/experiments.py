"""Lists experiments within a terminal's width: python -m stages.runner.experiments.

`dvc exp show` has a column for every parameter, the grid's among them, and every file: thousands of
characters a line. Here are a line per data set, its main results, and what each run changed.
"""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kdprune.ending import ended
from kdprune.errors import KdpruneError
from stages.runner import lockfile

WIDTH = 120
NAME, DATASET, FIGURE = 28, 14, 13  # characters of a column
FIGURES = ("channel", "channel_left", "weight", "weight_left", "ratio", "p")  # stages/summary.py
DERIVED = ("grid", "trainings")  # they follow from the other parameters
SHOW = [sys.executable, "-m", "dvc", "exp", "show", "--json"]


def table(shown: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines for what `dvc exp show --json` gave: each at most `WIDTH` characters.

    What is called changed is what differs from the commit under which an experiment stands.
    """
    yield _line("experiment", "data set", FIGURES)
    for base in shown:
        yield from _told(base["name"] or base["rev"][:9], base, {})
        before = _parameters(base)
        for experiment in base["experiments"] or ():
            last = experiment["revs"][0]
            state = (experiment["executor"] or {}).get("state")
            name = experiment["name"] or last["name"] or last["rev"][:7]
            yield from _told(f"- {name}", last, before, state)


def _told(
    name: str, state: Mapping[str, Any], before: Mapping[str, Any], runs: str | None = None
) -> Iterator[str]:
    """Yield the lines of one run: its results, or why there are none, and its changes."""
    data = state["data"] or {}
    results = [
        (Path(path).stem, held["data"])
        for path, held in (data.get("metrics") or {}).items()
        if held.get("data")
    ]
    why = runs or ("failed" if state["error"] else "no results")
    first = name
    for dataset, figures in results or [(why, {})]:
        yield _line(first, dataset, [short(figures.get(figure, "")) for figure in FIGURES])
        first = ""
    after = _parameters(state)
    changed = [
        f"{key}={short(after[key])}" if key in after else f"{key} (not there)"
        for key in sorted(before.keys() | after.keys())
        if before and after and before.get(key) != after.get(key)
    ]
    for change in changed:
        yield "    " + textwrap.shorten(change, WIDTH - 4, placeholder=" …")


def _line(name: str, dataset: str, figures: Sequence[str]) -> str:
    cells = "".join(f"{figure:>{FIGURE}}" for figure in figures)
    return f"{_cut(name, NAME):<{NAME}}{_cut(dataset, DATASET):<{DATASET}}{cells}".rstrip()


def _cut(text: str, most: int) -> str:
    return text if len(text) < most else f"{text[: most - 2]}…"


def short(value: Any) -> str:
    """Write a value in few characters."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parameters(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return {dotted name: value} of a run's parameters, without those that follow."""
    held = ((state["data"] or {}).get("params") or {}).get("params.yaml") or {}
    values = {name: item for name, item in (held.get("data") or {}).items() if name not in DERIVED}
    return lockfile.flat(values)


def main() -> None:
    """Print the table."""
    done = subprocess.run(SHOW, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no output"]
        raise KdpruneError(f"dvc exp show: {said[-1]}")
    for line in table(json.loads(done.stdout)):
        print(line)


if __name__ == "__main__":
    sys.exit(ended(main))

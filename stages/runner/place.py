"""Where an instance stands in a long run: which of how many, how far the study is, and how long.

On a terminal a line as it begins and one as it ends; in a log file the second alone.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kdprune.progress import duration
from kdprune.terminal import styled
from stages.runner import lockfile, outlook
from stages.runner.record import FOLDER
from stages.runner.stages import GRID


@contextmanager
def shown(stage: str, key: str) -> Iterator[None]:
    """Tell of an instance of the grid while the block runs; of another stage, nothing.

    What cannot be told is left out: a line for people stops no stage.
    """
    line = where(stage, key)
    if line and sys.stderr.isatty():
        _say(line, "", far(stage, key))
    begun = time.monotonic()
    yield
    if line:
        taken = duration(time.monotonic() - begun)
        _say(line, f" done in {taken}", far(stage, key, finished=True))


def where(stage: str, key: str) -> str:
    """Return "teach 3 of 14: cifar10-resnet101"; "" for a stage without such an instance."""
    names = list(_grid().get(GRID.get(stage, "")) or {})
    if key not in names:
        return ""
    return f"{stage} {names.index(key) + 1} of {len(names)}: {key}"


def far(stage: str, key: str, *, finished: bool = False, folder: Path = FOLDER) -> str:
    """Return how far the study is: "study: 4 of 102 instances done, about 3 h 20 min to go"."""
    try:
        names, count = outlook.left(
            lockfile.read("params.yaml"), f"{stage}@{key}" if finished else ""
        )
        if not finished and f"{stage}@{key}" not in names:  # it is run by force
            names = [f"{stage}@{key}", *names]
        told = f"study: {count - len(names)} of {count} instances done"
        every = [f"{name}@{one}" for name, held in GRID.items() for one in _grid().get(held, {})]
        rest = outlook.seconds(names, folder, every) if names else None
        return f"{told}, about {duration(rest)} to go" if rest is not None else told
    except Exception:  # damaged records, other people's parameters: the stage itself tells
        return ""


def _grid() -> Mapping[str, Any]:
    with suppress(Exception):  # the stage itself says what is wrong
        held = lockfile.read("params.yaml")["grid"]
        return {name: part for name, part in held.items() if isinstance(part, Iterable)}
    return {}


def _say(line: str, done: str, rest: str) -> None:
    parts = styled(line, "bold", sys.stderr), styled(done, "done", sys.stderr)
    ending = styled(f"  {rest}", "dim", sys.stderr) if rest else ""
    with suppress(OSError, ValueError):  # nobody reads it
        print(*parts, ending, sep="", file=sys.stderr, flush=True)

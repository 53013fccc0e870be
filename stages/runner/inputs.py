"""Holds a stage to the inputs with which it began.

DVC hashes code and parameters after the command: what changes meanwhile would be recorded as what
ran. So a stage that DVC runs looks at them as it begins and again as it ends.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from kdprune.errors import KdpruneError
from stages.runner import lockfile

PARAMETERS = Path("params.yaml")
LARGE = ("data/", "models/")  # known by size and time: their hash would cost more than an analysis
PATIENCE = 2.0  # seconds in which `dvc exp run --queue` has put params.yaml back


def seen(stage: str, key: str, content: bytes | None) -> dict[str, Any]:
    """Return what the instance's deps and parameters are, {name: anything that tells of a change}.

    `content` is that of params.yaml. Empty where DVC does not run the stage, so that nothing will
    be recorded, and where the files are not what they must be, which others tell of. Raises
    KdpruneError where dvc.yaml holds no mapping.
    """
    if "DVC_STAGE" not in os.environ or content is None:
        return {}
    try:
        values = lockfile.parse(content)
        described = lockfile.instance(stage, key, values)
    except (OSError, LookupError, AttributeError, TypeError, ValueError, yaml.YAMLError):
        return {}
    states = {name: ("parameter", lockfile.at(values, name)) for name in described["params"]}
    for dep in described["deps"]:
        states |= _files(Path(dep))
    return states


def deps(stage: str, key: str, content: bytes | None) -> list[str]:
    """Return the instance's deps, none where dvc.yaml or `content` do not tell them."""
    try:
        return list(lockfile.instance(stage, key, lockfile.parse(content or b""))["deps"])
    except (OSError, LookupError, AttributeError, TypeError, KdpruneError, yaml.YAMLError):
        return []


def content() -> bytes | None:
    """Return params.yaml as it is, None where it cannot be read."""
    try:
        return PARAMETERS.read_bytes()
    except OSError:
        return None


@contextmanager
def unchanged(stage: str, key: str, before: dict[str, Any]) -> Iterator[None]:
    """Raise KdpruneError, one line, where `before` no longer holds as the block ends."""
    yield
    if not before:
        return
    if differing := _differing(before, seen(stage, key, content())):
        time.sleep(PATIENCE)
        differing = _differing(before, seen(stage, key, content()))
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise KdpruneError(
            f"{', '.join(differing[:3])}{more}: changed while {stage} {key}".rstrip()
            + " ran; its results are not recorded: run the command again"
        )


def _differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    names = sorted(before.keys() | after.keys())
    return (
        [name for name in names if before.get(name) != after.get(name)]
        if after
        else ["params.yaml"]
    )


def _files(path: Path) -> dict[str, Any]:
    """Return each file at `path` with what tells of its change.

    Code has its time beside its hash: a file that was another and is again what it was may have
    been imported in between.
    """
    states: dict[str, Any] = {}
    large = f"{path.as_posix()}/".startswith(LARGE)
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    for file in files:
        if lockfile.ignored(file):
            continue
        try:
            status = file.stat()
            state: Any = status.st_size, status.st_mtime_ns
            if not large:
                digest = hashlib.md5(file.read_bytes()).hexdigest()
                state = (digest, status.st_mtime_ns) if file.suffix == ".py" else digest
        except FileNotFoundError:
            continue
        states[file.as_posix()] = state
    return states

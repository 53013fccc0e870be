"""What a killed stage goes on from: its unfinished work."""

import contextlib
import hashlib
import math
import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kdprune import device, versions
from kdprune.files import before
from kdprune.home import located
from kdprune.study import paths
from kdprune.study.code import closure

DAY = 86400.0


def path(stage: str, key: str, *methods: str, inputs: Iterable[Path], parameters: Any) -> Path:
    """Return where a stage keeps unfinished work, named by all that its result depends on.

    The name hashes the input files, the parameters, the code that the stage runs for its `methods`,
    the kind of device and the versions of the libraries that compute, so that work done under
    another configuration is never taken up.
    Hence clones and experiments may share a folder (kdprune.study.paths.unfinished), and go on
    from each other's. The folder is made; the stage removes the file when its outputs are written,
    and the file before it (kdprune.files.keep) stays until DVC has recorded them.
    """
    libraries = platform.python_version(), versions.installed(versions.COMPUTING)
    kind = device.choose().type
    digest = hashlib.sha256(repr((stage, key, parameters, libraries, kind)).encode())
    code = sorted(closure(f"stages/{stage}.py", methods=methods))
    for file in [*inputs, *(located(item) for item in code)]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    folder = paths.unfinished()
    folder.mkdir(parents=True, exist_ok=True)
    _forget_recorded(folder)
    kept = folder / f"{stage}-{key}-{digest.hexdigest()[:16]}.ckpt"
    _note(kept).write_text(f"{platform.node()}\n{Path.cwd()}", encoding="utf-8")
    return kept


def _note(kept: Path) -> Path:
    """Return the file beside unfinished work that says which workspace did it last."""
    return kept.with_suffix(".workspace")


def _forget_recorded(folder: Path) -> None:
    """Remove what stages left that ended before their dvc.lock was written: DVC has their outputs.

    A stage whose outputs DVC could not record, for want of room or of time, runs again, and goes
    on from what it left. One that `dvc repro --force` runs again must not.
    """
    for note in folder.glob("*.workspace"):
        kept = note.with_suffix(".ckpt")
        if kept.exists():
            continue
        with contextlib.suppress(FileNotFoundError):  # another workspace tidies at the same time
            left, until = note, time.time() - DAY  # of a stage that ended before it kept anything
            if before(kept).exists():
                left = before(kept)
                machine, _, workspace = note.read_text(
                    encoding="utf-8", errors="replace"
                ).partition("\n")
                until = _recorded(machine, workspace)
            if left.stat().st_mtime < until:
                before(kept).unlink(missing_ok=True)
                note.unlink(missing_ok=True)


def _recorded(machine: str, workspace: str) -> float:
    """Return the time up to which a workspace's work is in DVC's hands, in seconds of the epoch.

    One that is gone was DVC's copy for an experiment, or lies on a disk of another machine: a
    day is then enough.
    """
    lock = Path(workspace) / paths.LOCK
    if workspace and lock.exists():  # a note that was cut short names none
        return lock.stat().st_mtime
    gone = machine == platform.node() and not Path(workspace).exists()
    return math.inf if gone else time.time() - DAY

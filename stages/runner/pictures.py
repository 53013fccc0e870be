"""Keeps one's own images out of git: `dvc exp run` commits whatever git does not ignore."""

import os
import subprocess
from pathlib import Path

from kdprune.config.params import load
from kdprune.errors import KdpruneError

IGNORED = "data/"  # by .gitignore: all its folders but data/embedded


def check() -> None:
    """Raise KdpruneError for a folder of images of the study that is not there, or that git would
    take up.

    Images that were committed are their owner's choice, as are those that `dvc add` knows; a
    project without git has nothing to fear.
    """
    params = load()
    for name, folder in (params.folders or {}).items():
        if name not in params.datasets:
            continue
        if not Path(folder.path).exists():  # DVC says a bare Errno 2
            raise KdpruneError(f"folders.{name}.path: {folder.path} is not there; name a folder")
        if first := _unknown(folder.path):
            raise KdpruneError(
                f"folders.{name}.path: {folder.path} lies in this project, and git does not ignore "
                f"it: `dvc exp run` would commit {first} and all others; move it out, or to "
                f"{IGNORED} under another name than {name}, or name it in .gitignore"
            )


def _unknown(path: str) -> str:
    """Return the first file at `path` that git neither has nor ignores, "" where there is none."""
    place = os.path.relpath(Path(path).expanduser().resolve(), Path.cwd().resolve())
    if place.startswith(".."):
        return ""
    listed = ["git", "ls-files", "--others", "--exclude-standard", "-z", "--", place]
    try:
        done = subprocess.run(listed, capture_output=True, check=False)
    except OSError:  # no git
        return ""
    first = os.fsdecode(done.stdout.partition(b"\0")[0]) if done.returncode == 0 else ""
    return ascii(first)[1:-1]  # a name may hold what no terminal can show

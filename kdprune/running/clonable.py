"""Whether clones on other machines find what a study reads: asked before anything is sent there."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kdprune.errors import KdpruneError

if TYPE_CHECKING:
    from kdprune.config.params import Params


def require(option: str, params: "Params") -> None:
    """Raise KdpruneError where tasks in clones would lack what this study has.

    A clone is one of the whole repository, so the study must be all of it. A clone has what git
    has, so other files must be named by a whole path. `option` is what asks for clones.
    """
    _require_whole(option)
    for name, path in _read(params):
        if not path.startswith(("/", "~")) and _missing(path):
            raise KdpruneError(
                f"{option}: {name} = {path}: is not in a clone of this study, where tasks run; "
                "name it by a whole path that every machine reaches, or keep it in git"
            )


def _require_whole(option: str) -> None:
    top = _git("rev-parse", "--show-toplevel")
    if top is None:
        raise KdpruneError(f"{option}: tasks clone this study, and here is no git; see `git init`")
    if Path(top).resolve() != Path().resolve():
        raise KdpruneError(
            f"{option}: this study is a folder of the repository {top}, and tasks clone that; make "
            "the study one of its own (`kdprune init` elsewhere, and copy conf/ there)"
        )


def _read(params: "Params") -> Iterator[tuple[str, str]]:
    """Yield the files and folders that parameters name, each with the parameter's name."""
    for name, folder in (params.folders or {}).items():
        yield f"folders.{name}.path", folder.path
    for name, one in params.architectures.items():
        if one.weights:
            yield f"architectures.{name}.weights.path", one.weights.path
    if params.data.source == "local" and params.data.path:
        yield "data.path", params.data.path


def _missing(path: str) -> bool:
    """Say whether git ignores a path of this folder, or it leads out of it. What is new goes along.

    New files are in Ray's clones, and Slurm's script asks for them to be committed.
    """
    outside = Path(os.path.normpath(path)).parts[:1] == ("..",)
    return outside or _git("check-ignore", "--", path) is not None


def _git(*arguments: str) -> str | None:
    """Return what git prints, None where it refuses or there is none."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    except OSError:
        return None
    return None if done.returncode else done.stdout.removesuffix("\n")

"""Founds a study in a folder of its own, in the form of this project, without its code."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdprune import __version__
from kdprune.errors import KdpruneError
from kdprune.home import FORM, IMAGES, LEFT_OUT, home
from kdprune.study import pinned

README = """\
# A study of kdprune

Made by `kdprune init` of kdprune {version}; the stages are run from the installed package.

    dvc repro                     what is stale
    kdprune run                   the same, several instances at once
    dvc exp run -S KEY=VALUE      another experiment; conf/ holds what can be said
    kdprune recommend             which network fits your limits
    dvc plots show                the curves

`conf/` is what you edit; params.yaml follows from it (`make params`). `code/` says which code the
results are of: after `pip install -U kdprune`, `kdprune init --update .` writes it anew.
"""
MAKEFILE = """\
# params.yaml, from conf/
params:
\tpython conf/compose.py

.PHONY: params
"""
STAGED = ".founding"  # within the folder, until all is written
WHOLE = ".whole"  # within that: all is written, and only to be moved
HINT = "name a folder that is not there yet, or is empty"


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Yield a folder to write a study to; all of it comes to `folder` where the block ends well.

    What fails or is interrupted leaves nothing, and what is killed leaves what the next call takes
    away: else the same command would be refused, for a folder that is not empty. Raises
    KdpruneError for a folder that holds anything else, which is never touched.
    """
    _require_empty(folder)
    there, staged = folder.exists(), folder / STAGED
    if staged.exists():
        shutil.rmtree(staged)
    try:
        staged.mkdir(parents=True)
        yield staged
        (staged / WHOLE).touch()
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        if folder.is_dir() and not there:
            folder.rmdir()
        raise
    resumed(folder)


def resumed(folder: Path) -> bool:
    """Move what a killed call of `whole` has written already; return whether there was any."""
    staged = folder / STAGED
    moved = staged.is_dir() and not any(staged.iterdir()) and len(list(folder.iterdir())) > 1
    if not moved and not (staged / WHOLE).is_file():
        return False
    for item in staged.iterdir():
        if item.name != WHOLE:
            item.rename(folder / item.name)
    (staged / WHOLE).unlink(missing_ok=True)
    staged.rmdir()
    return True


def _require_empty(folder: Path) -> None:
    if folder.exists() and (
        not folder.is_dir() or any(item.name != STAGED for item in folder.iterdir())
    ):
        raise KdpruneError(f"{folder}: is not empty; {HINT}")


def found(folder: Path, *, images: bool = True) -> None:
    """Write a study to `folder`: dvc.yaml, conf/, code/, DVC's own settings; not yet params.yaml.

    `images` adds those of CIFAR-10 that come with the project. Raises KdpruneError for a folder
    that holds anything.
    """
    _require_empty(folder)
    for name in (*FORM, *(IMAGES if images else ())):
        _copy(home() / name, folder / name)
    described = _described()
    (folder / "dvc.yaml").write_text(pinned.rewritten(described), encoding="utf-8")
    pinned.write(folder, described)
    (folder / "README.md").write_text(README.format(version=__version__), encoding="utf-8")
    (folder / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (folder / "plots/live").mkdir(parents=True)
    (folder / "plots/live/.gitkeep").touch()


def update(folder: Path) -> list[str]:
    """Write a study's dvc.yaml and code/ for the installed version; return the parts that differ.

    Raises KdpruneError for a folder that is no such study.
    """
    if not (folder / pinned.VERSION).is_file():
        raise KdpruneError(f"{folder}: is no study that `kdprune init` made; it has no code/")
    described = _described()
    (folder / "dvc.yaml").write_text(pinned.rewritten(described), encoding="utf-8")
    return pinned.write(folder, described)


def compose(folder: Path, *changed: str) -> None:
    """Write the params.yaml of a study from its conf/. Raises KdpruneError where it is refused."""
    command = [sys.executable, "conf/compose.py", *changed]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise KdpruneError(done.stderr.strip().removeprefix("kdprune: "))


def commit(folder: Path, message: str) -> bool:
    """Put a study under git, where it is not in a repository of others; return whether it is.

    A folder that another repository ignores gets one of its own: DVC refuses to work in what git
    ignores. Experiments need a commit; without git, DVC is told that there is none.
    """
    if shutil.which("git") is None:
        with (folder / ".dvc/config").open("a", encoding="utf-8") as config:
            config.write("[core]\n    no_scm = true\n")
        return False
    inside = _git(folder, "rev-parse", "--show-toplevel").stdout.strip()
    others = bool(inside) and Path(inside).resolve() != folder.resolve()
    ignored = others and not _git(folder, "check-ignore", "-q", str(folder.resolve())).returncode
    if others and not ignored:
        return False
    if not inside or ignored:
        _git(folder, "init", "-q")
    _git(folder, "add", "-A")
    who = (
        []
        if _git(folder, "config", "user.email").stdout.strip()
        else [*("-c", "user.name=kdprune", "-c", "user.email=kdprune@localhost")]
    )
    return _git(folder, *who, "commit", "-q", "-m", message).returncode == 0


def _git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # As Python holds paths: git tells those as they are, and names need not be UTF-8
    how: dict[str, Any] = {"text": True, "errors": "surrogateescape"}
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, **how)


def _described() -> str:
    return (home() / "dvc.yaml").read_text(encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
    else:
        shutil.copyfile(source, target)

"""The code that a study outside of a clone was made with: a digest of every part, under code/.

There DVC sees no code, and its stages would stay up to date whatever is installed. So each file or
folder of code that dvc.yaml names in a clone stands in such a study for its digest, in a file that
the stage depends on (code/kdprune/data.sha256). `kdprune init` writes them, `kdprune init --update`
writes them anew for another version, which makes stale what that version computes otherwise, and a
stage refuses to run by code of another digest: nothing is recorded under code that did not run.
"""

import hashlib
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from kdprune import __version__
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.home import LEFT_OUT, located

CODE, SUFFIX = "code", ".sha256"
VERSION = f"{CODE}/version"
DEP = re.compile(r"^(\s+- )((?:kdprune|stages)/\S+)", flags=re.MULTILINE)
COMMAND = re.compile(r"python -m stages(?:\.(runner\.\w+))?")


def rewritten(described: str) -> str:
    """Return a clone's dvc.yaml for a study without code: digests as deps, the package's stages."""
    pinned = DEP.sub(rf"\1{CODE}/\2{SUFFIX}", described)
    return COMMAND.sub(
        lambda match: " ".join(filter(None, ("python -m kdprune.stages", match[1]))), pinned
    )


def write(folder: Path, described: str) -> list[str]:
    """Write the digests of all code that a clone's dvc.yaml names; return those that are others."""
    changed = []
    for part in _parts(described):
        path, text = folder / CODE / f"{part}{SUFFIX}", f"{digest(part)}\n"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            changed.append(part)
            _write(path, text)
    _write(folder / VERSION, f"kdprune {__version__}\n")
    return changed


def check(deps: Iterable[str]) -> None:
    """Raise KdpruneError where a stage's deps are digests of other code than is installed."""
    for dep in deps:
        if not dep.startswith(f"{CODE}/") or not dep.endswith(SUFFIX):
            continue
        part = dep.removeprefix(f"{CODE}/").removesuffix(SUFFIX)
        path = Path(dep)
        told = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
        if told != digest(part):
            version = Path(VERSION)
            made = version.read_text(encoding="utf-8").strip() if version.is_file() else "another"
            raise KdpruneError(
                f"{dep}: this study was made with {made}, and {part} of the installed kdprune "
                f"{__version__} is other code; install that version, or `kdprune init --update .`, "
                "after which what depends on it runs again"
            )


@cache
def digest(part: str) -> str:
    """Return the SHA-256 of a file or folder of the project's code, "" where there is none."""
    path = located(part)
    if not path.exists():
        return ""
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if _ours(item))
    whole = hashlib.sha256()
    for file in files:
        content = file.read_bytes().replace(b"\r\n", b"\n")
        name = file.relative_to(path).as_posix()
        whole.update(repr((name, len(content))).encode() + content)
    return whole.hexdigest()


def _ours(path: Path) -> bool:
    out = any(fnmatch(part, pattern) for part in path.parts for pattern in LEFT_OUT)
    return path.is_file() and not out


def _parts(described: str) -> list[str]:
    """Return what a dvc.yaml names of code; of a method that an instance names, all of its kind."""
    named = dict.fromkeys(match[2] for match in DEP.finditer(described))
    parts: dict[str, None] = {}
    for name in named:
        if "${" not in name:
            parts[name] = None
            continue
        folder = name.partition("/${")[0]
        parts |= {f"{folder}/{file.name}": None for file in sorted(located(folder).glob("*.py"))}
    return list(parts)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

"""What a killed run goes on from: a stage's unfinished work, and DVC's record of the others."""

import hashlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError
from kdprune.files import replacing
from stages import paths

LIBRARIES = ("numpy", "timm", "torch", "torch-pruning", "torchvision")
LOCK = Path("dvc.lock")
COPY = Path(".run/dvc.lock")


def unfinished(stage: str, key: str, *, inputs: Iterable[Path], parameters: Any) -> Path:
    """Return where a stage keeps unfinished work, named by all that its result depends on.

    The name hashes the input files, the parameters, the project's own code and the versions of
    the libraries that compute, so that work done under another configuration is never taken up.
    The folder is made; the stage removes the file when its outputs are written, and the file
    before it (kdprune.files.keep) stays until DVC has recorded them.
    """
    versions = platform.python_version(), *(metadata.version(name) for name in LIBRARIES)
    digest = hashlib.sha256(repr((stage, key, parameters, versions)).encode())
    code = sorted(Path("kdprune").rglob("*.py"))
    for path in [*inputs, *code]:
        digest.update(hashlib.file_digest(path.open("rb"), "sha256").digest())
    paths.UNFINISHED.mkdir(parents=True, exist_ok=True)
    _forget_recorded()
    return paths.UNFINISHED / f"{stage}-{key}-{digest.hexdigest()[:16]}.ckpt"


def _forget_recorded() -> None:
    """Remove what stages left that ended before dvc.lock was last written: DVC has their outputs.

    A stage whose outputs DVC could not record, for want of room or of time, runs again, and goes
    on from what it left. One that `dvc repro --force` runs again must not.
    """
    recorded = LOCK.stat().st_mtime if LOCK.exists() else 0.0
    for last in paths.UNFINISHED.glob("*.ckpt.previous"):
        ended = not last.with_suffix("").exists()
        if ended and last.stat().st_mtime < recorded:
            last.unlink(missing_ok=True)


def copy_lock() -> None:
    """Keep dvc.lock as DVC has just read it, with its time: DVC writes it in place.

    Killed meanwhile, DVC leaves it empty or cut off, and with it the record of all that was
    computed, which the next `dvc repro` would compute anew. That raises KdpruneError, with the
    copy put back. A whole one that lacks stages, as another branch's may, is told of.
    """
    if "DVC_STAGE" not in os.environ or not LOCK.exists():
        return
    if COPY.exists() and not LOCK.read_bytes().endswith(b"\n"):
        _copy(COPY, LOCK)
        raise KdpruneError(
            f"{LOCK}: was cut off while DVC wrote it; it was put back from {COPY}: run the command "
            "again"
        )
    if COPY.exists() and (lost := _names(COPY) - _names(LOCK)):
        earlier = COPY.with_name("dvc.lock.earlier")
        COPY.replace(earlier)
        print(
            f"kdprune: {LOCK}: lacks {len(lost)} of the stages that {earlier} has, such as "
            f"{min(lost)}; if you removed none, stop, and `cp -p {earlier} {LOCK}`",
            file=sys.stderr,
        )
    _copy(LOCK, COPY)


def _copy(one: Path, other: Path) -> None:
    with replacing(other) as temporary:
        shutil.copy2(one, temporary)


def _names(lock: Path) -> set[str]:
    """Return the stages of a lock file; of one that is cut off too, which is no YAML."""
    return set(re.findall(r"^  (\S.*):$", lock.read_text(errors="replace"), re.MULTILINE))

"""What a killed stage goes on from: its unfinished work."""

import hashlib
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from kdprune import device
from stages import paths

LIBRARIES = ("numpy", "timm", "torch", "torch-pruning", "torchvision")


def unfinished(stage: str, key: str, *, inputs: Iterable[Path], parameters: Any) -> Path:
    """Return where a stage keeps unfinished work, named by all that its result depends on.

    The name hashes the input files, the parameters, the project's own code, the kind of device and
    the versions of the libraries that compute, so that work done under another configuration is
    never taken up.
    The folder is made; the stage removes the file when its outputs are written, and the file
    before it (kdprune.files.keep) stays until DVC has recorded them.
    """
    versions = platform.python_version(), *(metadata.version(name) for name in LIBRARIES)
    kind = device.choose().type
    digest = hashlib.sha256(repr((stage, key, parameters, versions, kind)).encode())
    code = sorted([*Path("kdprune").rglob("*.py"), *Path("stages").glob("*.py")])
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
    recorded = paths.LOCK.stat().st_mtime if paths.LOCK.exists() else 0.0
    for last in paths.UNFINISHED.glob("*.ckpt.previous"):
        ended = not last.with_suffix("").exists()
        if ended and last.stat().st_mtime < recorded:
            last.unlink(missing_ok=True)

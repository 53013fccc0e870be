"""What a killed stage goes on from: its unfinished work."""

import hashlib
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kdprune import device, versions
from kdprune.study import paths
from kdprune.study.code import ROOT, closure


def path(stage: str, key: str, method: str, *, inputs: Iterable[Path], parameters: Any) -> Path:
    """Return where a stage keeps unfinished work, named by all that its result depends on.

    The name hashes the input files, the parameters, the code that the stage runs for its `method`,
    the kind of device and the versions of the libraries that compute, so that work done under
    another configuration is never taken up.
    The folder is made; the stage removes the file when its outputs are written, and the file
    before it (kdprune.files.keep) stays until DVC has recorded them.
    """
    libraries = platform.python_version(), versions.installed(versions.COMPUTING)
    kind = device.choose().type
    digest = hashlib.sha256(repr((stage, key, parameters, libraries, kind)).encode())
    code = sorted(closure(f"stages/{stage}.py", methods=(method,)))
    for file in [*inputs, *(ROOT / item for item in code)]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
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

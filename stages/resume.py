"""Names the file from which a killed stage goes on."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages import paths


def unfinished(stage: str, key: str, *, inputs: Iterable[Path], parameters: Any) -> Path:
    """Return where a stage keeps unfinished work, named by all that its result depends on.

    The name hashes the input files, the parameters and the project's own code, so that work done
    under another configuration is never taken up. The folder is made; the stage removes the file
    when its outputs are written.
    """
    digest = hashlib.sha256(repr((stage, key, parameters)).encode())
    code = sorted(Path("kdprune").rglob("*.py"))
    for path in [*inputs, *code]:
        digest.update(hashlib.file_digest(path.open("rb"), "sha256").digest())
    paths.UNFINISHED.mkdir(parents=True, exist_ok=True)
    return paths.UNFINISHED / f"{stage}-{key}-{digest.hexdigest()[:16]}.ckpt"

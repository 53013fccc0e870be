"""The authors' own archives, binary version. Their server is slow since 2026 (50-85 kB/s)."""

import os
from pathlib import Path

from kdprune.data.canonical import Spec, Split
from kdprune.sources import archives, layouts
from kdprune.sources.transfer import download

BASE = "https://www.cs.toronto.edu/~kriz"
VARIABLE = "KDPRUNE_CIFAR_URL"  # the base address of a mirror with the same file names


def fetch(spec: Spec, *, path: object, cache: Path, show: bool) -> dict[str, Split]:
    """Download the archive, going on from a partial file, and read it."""
    name = layouts.ARCHIVES[spec.name, "binary"]
    base = (os.environ.get(VARIABLE) or BASE).rstrip("/")
    checksum = spec.archives.get(name)
    archive = download(f"{base}/{name}", cache / name, checksum=checksum, show=show)
    names = [name for each in layouts.files(spec.name, "binary").values() for name in each]
    contents = archives.members(archive, layouts.FOLDERS[spec.name, "binary"], names)
    return layouts.read(spec, "binary", contents.__getitem__)

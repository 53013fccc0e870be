"""Intervals of a pruning curve's breakpoint, over seeds and validation images."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from kdprune.errors import KdpruneError
from kdprune.outcomes import unpacked

AT_ONCE = 500  # resamples, which bounds the memory
MORE = 10  # times as many resamples, where an end is not settled
ERRORS = 2  # Monte-Carlo standard errors within which it is not


def right(points: pd.DataFrame, matrix: np.ndarray) -> np.ndarray:
    """Return what a curve's accuracies [S, L] are means of: percent [S, L, N].

    `points` are the curve's rows; N images where they have the column val_right, else 1. Raises
    KdpruneError where that column and the accuracies disagree.
    """
    if "val_right" not in points:
        return matrix[:, :, None]
    ordered = points.sort_values(["seed", "level"])
    try:
        bits = np.stack([unpacked(word) for word in ordered.val_right])
    except ValueError:  # not hexadecimal, or not of the same images
        raise KdpruneError("sweeps: val_right is damaged; run `dvc repro -f`") from None
    outcomes = 100.0 * bits.reshape(*matrix.shape, -1)
    if not np.allclose(outcomes.mean(2), matrix):
        raise KdpruneError("sweeps: val_right and val_accuracy disagree; run `dvc repro -f`")
    return outcomes


def interval(
    outcomes: np.ndarray,
    locate: Callable[[np.ndarray], np.ndarray],
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[int | None, int | None]:
    """Return the ends, level indices, of the percentile interval of `locate` for [S, L, N].

    Whole seeds and whole images are both drawn with replacement, and crossed (the pigeonhole
    bootstrap: Owen, Ann. Appl. Stat. 2007, arXiv:0712.1111). `locate` takes curves [R, L].
    `resamples` are drawn, and MORE times as many where these leave an end open (`settled`). None
    where there is but one seed and one image.
    """
    seeds, levels, images = outcomes.shape
    if max(seeds, images) < 2:
        return None, None
    generator = np.random.default_rng(seed)
    flat = outcomes.reshape(-1, images).T

    def draw(most: int) -> np.ndarray:
        parts = []
        for start in range(0, most, AT_ONCE):
            count = min(AT_ONCE, most - start)
            each = (_drawn(generator, images, count) @ flat).reshape(count, seeds, levels)
            parts.append(locate(np.einsum("rs,rsl->rl", _drawn(generator, seeds, count), each)))
        return np.concatenate(parts)

    tail, indices = (1 - confidence) / 2, draw(resamples)
    if not settled(indices, tail):
        indices = np.concatenate([indices, draw((MORE - 1) * resamples)])
    ends = np.quantile(indices, [tail, 1 - tail], method="inverted_cdf")
    return int(ends[0]), int(ends[1])


def settled(indices: np.ndarray, tail: float) -> bool:
    """Say whether more resamples would hardly move an end of the percentile interval of `indices`.

    `indices` are those of levels, [R]. An end moves to the next level where the share of resamples
    up to a level crosses `tail` or 1 - `tail`: open is one that lies within ERRORS standard errors
    of it, sqrt(tail (1 - tail) / R).
    """
    shares = np.cumsum(np.bincount(indices))[:-1] / len(indices)  # the last is 1
    reach = ERRORS * np.sqrt(tail * (1 - tail) / len(indices))
    return bool((np.abs(shares[:, None] - [tail, 1 - tail]) > reach).all())


def _drawn(generator: np.random.Generator, items: int, count: int) -> np.ndarray:
    """Return each item's share in `count` draws of `items` with replacement: [count, items]."""
    drawn = generator.integers(items, size=(count, items)) + items * np.arange(count)[:, None]
    return np.bincount(drawn.ravel(), minlength=count * items).reshape(count, items) / items

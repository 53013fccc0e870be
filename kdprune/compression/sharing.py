"""Shared values: the weights of a layer become the nearest of a few, by k-means in one dimension.

As in Deep Compression (arXiv:1510.00149, Sec. 3), the first centroids lie evenly between the least
and the largest weight, as large weights are few and count much; Lloyd's steps follow until no
weight changes its cluster. Clusters may be empty: pruning leaves a hole around zero.
"""

import numpy as np

STEPS = 1000  # far more than it takes; each is some binary searches in sorted weights


def shared_values(weights: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return at most `count` values, float64 [K] rising, and the nearest one's index for each of
    `weights` [N]; every value has a weight.

    Few weights have as many values as differ, and lose nothing.
    """
    weights = np.asarray(weights, np.float64).ravel()
    distinct = np.unique(weights)
    if len(distinct) <= count:
        return distinct, np.searchsorted(distinct, weights)
    ordered = np.sort(weights)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    values = np.linspace(ordered[0], ordered[-1], count)
    edges = np.zeros(0, np.int64)
    for _ in range(STEPS):
        before, edges = edges, _edges(ordered, values)
        if np.array_equal(before, edges):
            break
        sizes = np.diff(edges)
        held = sizes > 0
        # an empty cluster keeps its place, and may be filled when its neighbours move
        values[held] = (np.diff(sums[edges]) / np.maximum(sizes, 1))[held]
        values.sort()  # rounding may swap two that are equal
    values = values[np.diff(edges) > 0]
    return values, np.searchsorted(_middles(values), weights)


def _edges(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return where each value's weights begin among the `ordered`, and their number at the end."""
    return np.concatenate([[0], np.searchsorted(ordered, _middles(values)), [len(ordered)]])


def _middles(values: np.ndarray) -> np.ndarray:
    return (values[:-1] + values[1:]) / 2


def squared_error(weights: np.ndarray, values: np.ndarray, codes: np.ndarray) -> float:
    """Return the sum of squares that `weights` [N] lose as `values`[`codes`]: what Lloyd lowers."""
    return float(np.square(np.asarray(weights, np.float64).ravel() - values[codes]).sum())


def value_gradient(gradient: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
    """Return a loss's gradient by each of `count` shared values: the sum of that by its weights.

    `gradient` and `codes` have the shape of the weights.
    """
    return np.bincount(codes.ravel(), np.asarray(gradient, np.float64).ravel(), count)

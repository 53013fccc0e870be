"""Where the weights are that pruning left: each by its distance from the one before.

Deep Compression's relative index (arXiv:1510.00149, Sec. 2): the distance less one in a few bits.
Where it needs more, fillers stand between, each the largest code, whose value is zero.
"""

import numpy as np


def encode(places: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes [E] of rising `places` [N], and which entries [N] of E are no fillers.

    The first distance counts from -1. A code c stands for a step of c + 1.
    """
    steps = np.asarray(places, np.int64) - 1
    steps[1:] -= places[:-1]
    steps[:1] += 1
    fillers = steps >> bits
    real = np.cumsum(fillers + 1) - 1
    most = (1 << bits) - 1
    codes = np.full(int(fillers.sum()) + len(steps), most, np.int64)
    codes[real] = steps & most
    return codes, real


def decode(codes: np.ndarray) -> np.ndarray:
    """Return the places [E] of all entries, fillers among them, from their `codes` [E]."""
    return np.cumsum(np.asarray(codes, np.int64) + 1) - 1

"""How far an accuracy may be from what further images and seeds would give. Plain Python."""

import math
import statistics
from collections.abc import Sequence

from scipy.special import ndtri, stdtrit

CONFIDENCE = 0.95

Interval = tuple[float | None, float | None]


def t_interval(values: Sequence[float]) -> Interval:
    """Return Student's interval of the mean at CONFIDENCE; (None, None) with fewer than two."""
    if len(values) < 2:
        return None, None
    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    reach = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2)) * error
    return mean - reach, mean + reach


def wilson(percent: float, images: int) -> tuple[float, float]:
    """Return the interval of a share of `images`, both in percent, at CONFIDENCE.

    The score interval (Wilson, JASA 22, 1927): it stays within 0 to 100, and is no point where
    all or none are right.
    """
    share, z = percent / 100, float(ndtri((1 + CONFIDENCE) / 2))
    scale = 1 + z**2 / images
    middle = (share + z**2 / (2 * images)) / scale
    reach = z / scale * math.sqrt(share * (1 - share) / images + z**2 / (4 * images**2))
    return 100 * max(0.0, middle - reach), 100 * min(1.0, middle + reach)


def of_a_mean(percents: Sequence[float], images: int | None) -> Interval:
    """Return the interval of accuracies' mean over seeds, all of them of the same `images`.

    The images are few, and the same for every seed, so that more seeds do not make up for them: the
    reach is that of `wilson` and that of `t_interval` (with two seeds or more), squared and added,
    each side for itself (Newcombe, Statistics in Medicine 17, 1998). `images` None: the seeds
    alone.
    """
    mean = statistics.fmean(percents)
    parts: list[Interval] = [t_interval(percents)]
    if images:
        parts.append(wilson(mean, images))
    ends = [(low, high) for low, high in parts if low is not None and high is not None]
    if not ends:
        return None, None
    below = math.hypot(*(mean - low for low, _ in ends))
    above = math.hypot(*(high - mean for _, high in ends))
    return max(0.0, mean - below), min(100.0, mean + above)

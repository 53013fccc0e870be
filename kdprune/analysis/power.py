"""How many pairs a claim needs: the power of the two-sided paired t-test on logarithms.

Source: the test's power follows from the noncentral t distribution (Cohen, Statistical Power
Analysis for the Behavioral Sciences, 1988, chapter 2).
"""

import math

from scipy import optimize, stats

POWER = 0.8  # the usual one: four of five true differences are found
MOST = 100_000  # pairs


def power(n: int, effect: float, alpha: float = 0.05) -> float:
    """Return how likely `n` pairs show a mean difference of `effect` standard deviations."""
    if n < 2:
        return 0.0
    shift, limit = abs(effect) * math.sqrt(n), stats.t.ppf(1 - alpha / 2, n - 1)
    return float(sum(stats.nct.sf(limit, n - 1, side) for side in (shift, -shift)))


def pairs_needed(ratio: float, spread: float, alpha: float = 0.05, wanted: float = POWER) -> int:
    """Return the fewest pairs that show a true `ratio`, where logarithms have the deviation
    `spread` from pair to pair; MOST where more are needed.
    """
    effect = abs(math.log(ratio)) / spread
    low, high = 1, 2
    while high < MOST and power(high, effect, alpha) < wanted:
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, effect, alpha) >= wanted else (middle, high)
    return high


def told(n: int, spread: float, alpha: float = 0.05, wanted: float = POWER) -> float:
    """Return the smallest ratio above 1 that `n` pairs, two or more, show; see `pairs_needed`."""
    high = 1.0
    while power(n, high, alpha) < wanted:
        high *= 2
    smallest = optimize.brentq(lambda effect: power(n, effect, alpha) - wanted, 0, high)
    return math.exp(smallest * spread)


def spread(low: float, high: float, n: int, confidence: float = 0.95) -> float:
    """Return the standard deviation of the logarithms whose mean has this t-interval of `n`."""
    half = math.log(high / low) / 2
    return half * math.sqrt(n) / float(stats.t.ppf((1 + confidence) / 2, n - 1))

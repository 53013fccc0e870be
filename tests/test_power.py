"""How many pairs a claim needs, against published sizes and drawn samples."""

import math

import numpy as np
import pytest
from scipy import stats

from kdprune.analysis import power


@pytest.mark.parametrize(("effect", "pairs"), [(0.5, 34), (0.8, 15), (1.0, 10), (0.2, 199)])
def test_the_published_numbers_of_pairs(effect, pairs):
    """G*Power 3.1 gives these for two dependent means, two-sided, alpha 0.05, power 0.8."""
    assert power.pairs_needed(math.exp(effect), 1.0) == pairs
    assert power.power(pairs, effect) >= 0.8 > power.power(pairs - 1, effect)
    assert power.pairs_needed(math.exp(-effect), 1.0) == pairs  # channel ahead, or weight


def test_power_is_the_share_of_samples_that_are_significant():
    drawn = np.random.default_rng(0).normal(0.6, 1.0, (20_000, 10))
    share = (stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean()
    assert power.power(10, 0.6) == pytest.approx(share, abs=0.01)
    assert power.power(1, 5.0) == 0


@pytest.mark.parametrize("n", [2, 3, 10, 20])
def test_what_n_pairs_tell_needs_n_pairs(n):
    ratio = power.told(n, 0.3)
    assert power.pairs_needed(ratio * 1.0001, 0.3) == n
    assert power.pairs_needed(ratio * 0.9999, 0.3) == n + 1
    assert power.told(n, 0.6) == pytest.approx(ratio**2)


def test_the_spread_is_read_from_an_interval():
    logs = np.random.default_rng(1).normal(0.2, 0.4, 7)
    interval = stats.ttest_1samp(logs, 0).confidence_interval(0.9)
    low, high = math.exp(interval.low), math.exp(interval.high)
    assert power.spread(low, high, 7, confidence=0.9) == pytest.approx(logs.std(ddof=1))


def test_a_claim_beyond_reach_is_bounded():
    assert power.pairs_needed(1.0001, 1.0) == power.MOST

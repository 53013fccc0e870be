"""Schedules start, peak and end where they should."""

import pytest

from kdprune.training.schedules import learning_rate


def curve(name: str, steps: int = 1000, **options) -> list[float]:
    return [learning_rate(name, step, steps, lr=0.1, **options) for step in range(steps)]


def test_constant():
    assert set(curve("constant")) == {0.1}


def test_cosine_falls_from_the_peak_to_nothing():
    rates = curve("cosine")
    assert rates[0] == 0.1
    assert rates[500] == pytest.approx(0.05)
    assert rates[-1] == pytest.approx(0, abs=1e-6)
    assert rates == sorted(rates, reverse=True)


def test_warm_up_rises_linearly_to_the_peak():
    rates = curve("cosine", warmup=0.1)
    assert rates[:100] == sorted(rates[:100])
    assert rates[1] - rates[0] == pytest.approx(rates[50] - rates[49])
    assert max(rates) == pytest.approx(0.1) == rates[100]


def test_onecycle_starts_at_a_25th_and_peaks_after_the_warm_up():
    rates = curve("onecycle", warmup=0.3)
    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates.index(max(rates)) == 300
    assert rates[-1] < 0.1 / 1000


def test_steps_fall_at_their_milestones():
    rates = curve("step", milestones=(0.5, 0.75), gamma=0.1)
    assert [rates[step] for step in (499, 500, 750)] == pytest.approx([0.1, 0.01, 0.001])


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="onecycle"):
        learning_rate("cyclic", 0, 10, lr=0.1)

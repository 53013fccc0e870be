"""What two networks' answers have in common, against counts by hand and other definitions."""

import numpy as np
import pytest
from scipy import stats

from kdprune.analysis.agreement import calibration, change, confusion, evaluation

CLASSES = ("cat", "dog", "eel")


def answering(answers, sure=2.0):
    """Logits whose largest is at `answers`."""
    return np.eye(3)[list(answers)] * sure


def test_confusion_by_hand():
    counted = confusion(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 0]), 3)
    assert counted.tolist() == [[1, 1, 0], [0, 1, 0], [2, 0, 0]]


def test_change_by_hand():
    before = np.array([True, True, True, False, False, False, True, False])
    after = np.array([True, False, False, True, False, False, False, False])
    told = change(before, after)
    assert (told["images"], told["lost"], told["gained"]) == (8, 3, 1)
    assert (told["before"], told["after"], told["difference"]) == (50, 25, -25)
    assert told["p"] == pytest.approx(2 * (1 + 4) / 2**4)  # of four, one or fewer, and both ways
    # Wald's interval after half an image was added to each of the four cells
    n, lost, gained = 10, 3.5, 1.5
    share = (gained - lost) / n
    error = np.sqrt(lost + gained - (gained - lost) ** 2 / n) / n
    reach = stats.norm.ppf(0.975) * error
    assert (told["low"], told["high"]) == pytest.approx(
        (100 * (share - reach), 100 * (share + reach))
    )
    same = change(before, before)
    assert (same["p"], same["difference"]) == (1.0, 0.0)
    assert same["low"] < 0 < same["high"]


def test_the_interval_holds_the_difference_as_often_as_it_says():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        first = generator.random(100)
        before, after = first < 0.7, (first < 0.6) | (first > 0.97)  # 67 % and 63 %: -7 points
        held += (told := change(before, after))["low"] <= -7.0 <= told["high"]
    assert 0.92 < held / 400 < 0.99


def test_calibration_by_hand():
    sure = np.array([[1.0, 0.0], [1.0, 0.0], [0.3, 0.7], [0.3, 0.7]])
    labels = np.array([0, 1, 1, 0])
    # two bins: confidence 1 with half right, confidence 0.7 with half right, two images each
    assert calibration(sure, labels) == pytest.approx(100 * (2 * 0.5 + 2 * 0.2) / 4)
    honest = np.array([[0.5, 0.5]] * 4)
    assert calibration(honest, np.array([0, 1, 0, 1])) == pytest.approx(0)
    # gaps of either sign within a bin cancel, of two bins they do not
    assert calibration(np.array([[0.9, 0.1], [0.61, 0.39]]), np.array([1, 0])) == pytest.approx(
        100 * (0.9 + 0.39) / 2
    )


def test_a_class_that_is_ruined_is_told_though_the_mean_stays():
    labels = np.repeat([0, 1, 2], 40)
    before = np.where(np.arange(120) % 4 == 0, (labels + 1) % 3, labels)  # 75 % of each class
    after = labels.copy()
    after[labels == 2] = np.where(np.arange(40) < 10, 2, 0)  # 100, 100 and 25 %
    told = evaluation(answering(before), answering(after), labels, CLASSES)
    assert told["accuracy"]["difference"] == pytest.approx(0)
    rows = {row["class"]: row for row in told["classes"]}
    assert [rows[name]["after"] for name in CLASSES] == [100, 100, 25]
    assert [rows[name]["before"] for name in CLASSES] == [75, 75, 75]
    assert rows["eel"]["p_holm"] < 1e-3
    assert rows["eel"]["high"] < 0 < rows["cat"]["low"]
    assert told["confusion"]["after"][2] == [30, 0, 10]
    assert np.trace(told["answers"]) == 120 - told["differ"]
    assert np.sum(told["answers"]) == 120
    assert told["ece"]["before"] == pytest.approx(
        100 * abs(np.exp(2) / (np.exp(2) + 2) - 0.75), abs=1e-9
    )


def test_nothing_changed_is_told_as_nothing():
    logits = answering([0, 1, 2, 0])
    told = evaluation(logits, logits, np.array([0, 1, 2, 1]), CLASSES)
    assert (told["differ"], told["accuracy"]["lost"], told["accuracy"]["p"]) == (0, 0, 1.0)
    assert told["ece"]["before"] == told["ece"]["after"]
    assert told["confusion"]["before"] == told["confusion"]["after"]

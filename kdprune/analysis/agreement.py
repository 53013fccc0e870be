"""Two networks on the same labelled images: what each class lost, where they differ, calibration.

Arrays are numpy's: logits [N, classes], answers and labels [N] as indices of classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from kdprune.analysis.significance import holm

BINS = 15
CONFIDENCE = 0.95


def evaluation(
    before: np.ndarray, after: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> dict[str, Any]:
    """Compare the logits of a network, after what was done to it, with those from before.

    accuracy: as `change` says of all images; classes: the same of each class, with its name, and
    p_holm, the p-value under Holm's correction over the classes; ece: `calibration` before and
    after; differ: on how many images the answers are others; confusion: counts [true][answer] of
    both; answers: counts [before][after].
    """
    was, now = before.argmax(1), after.argmax(1)
    right = was == labels, now == labels
    rows = []
    for label, name in enumerate(classes):
        own = labels == label
        rows.append({"class": name, **change(right[0][own], right[1][own])})
    adjusted = holm(pd.Series([row["p"] for row in rows]))
    count = len(classes)
    return {
        "accuracy": change(*right),
        "classes": [{**row, "p_holm": float(p)} for row, p in zip(rows, adjusted, strict=True)],
        "ece": {
            name: calibration(special.softmax(logits.astype(np.float64), 1), labels)
            for name, logits in (("before", before), ("after", after))
        },
        "differ": int((was != now).sum()),
        "confusion": {
            "before": confusion(labels, was, count).tolist(),
            "after": confusion(labels, now, count).tolist(),
        },
        "answers": confusion(was, now, count).tolist(),
    }


def confusion(rows: np.ndarray, columns: np.ndarray, classes: int) -> np.ndarray:
    """Count pairs: [classes, classes], how often a row's index met a column's."""
    return np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes)


def change(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """Return what became of right answers, bool [N] before and after, of the same images.

    images; before, after and difference in percent and points; low and high, the interval of the
    difference of paired proportions (Agresti and Min, Statistics in Medicine 24, 2005: half an
    image is added to each of the four cells); lost and gained, images right before alone and after
    alone; p of McNemar's exact test, which asks whether as many were lost as gained.
    """
    n = len(before)
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    share = (gained - lost) / (n + 2)
    error = np.sqrt((lost + gained + 1) / (n + 2) - share**2) / np.sqrt(n + 2)
    reach = stats.norm.ppf((1 + CONFIDENCE) / 2) * error
    tested = lost + gained
    return {
        "images": n,
        "before": 100 * float(before.mean()),
        "after": 100 * float(after.mean()),
        "difference": 100 * (gained - lost) / n,
        "low": 100 * max(-1.0, share - reach),
        "high": 100 * min(1.0, share + reach),
        "lost": lost,
        "gained": gained,
        "p": float(stats.binomtest(lost, tested).pvalue) if tested else 1.0,
    }


def calibration(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the expected calibration error in points: how far confidence is from accuracy.

    Images [N, classes] are put into BINS bins of equal width by the probability of their answer;
    the gap of a bin between its mean confidence and its accuracy counts by its images (Guo et al.,
    ICML 2017, arXiv:1706.04599).
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, confidence - right, BINS)
    return 100 * float(np.abs(gaps).sum()) / len(labels)

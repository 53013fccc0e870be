"""Sign flips of logarithms, all pairs of a teacher together: beside the ratio, which is of logs."""

import itertools

import numpy as np
import pandas as pd
import pytest

from kdprune.analysis import clusters
from kdprune.analysis.significance import significance

TEACHERS = ["a", "a", "b", "c", "c", "d"]
RATIOS = [2.0, 1.5, 1.2, 0.9, 1.1, 1.3]


def series(values, teachers=TEACHERS):
    names = [f"s{at}" for at in range(len(values))]
    index = pd.MultiIndex.from_arrays([teachers, names], names=["teacher", "student"])
    return pd.Series(values, index=index, dtype=float)


def test_p_is_the_share_of_flips_that_are_as_far_from_none():
    """Counted out: of 2^4 flips of the teachers' sums, whatever the unit of single pairs."""
    scale = series([1000, 3, 40, 7, 1, 900])
    sums = pd.Series(np.log(RATIOS)).groupby(np.array(TEACHERS)).sum().to_numpy()
    flips = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=4)]
    wanted = np.mean([flip >= abs(sums.sum()) - 1e-12 for flip in flips])
    assert clusters.by_teacher(scale * series(RATIOS), scale) == pytest.approx(wanted)
    assert clusters.by_teacher(scale, scale * series(RATIOS)) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("first", "teachers"),
    [([1, 2, 0, 4], "aabb"), ([1, 2, 3, 4], "aaaa"), ([1, 1, 1, 1], "aabb")],
)
def test_without_logarithms_or_teachers_there_is_none(first, teachers):
    assert (
        clusters.by_teacher(series(first, list(teachers)), series([1] * 4, list(teachers))) is None
    )


def test_raw_differences_and_ratios_are_told_apart():
    """One large network decides a sum of differences, and not one of logarithms."""
    first, second = series([1e6, 2, 2, 2, 2, 2]), series([9e5, 4, 4, 4, 4, 4])
    named = {"dataset": "cifar10", "role": "student", "distill": "simkd"}
    scored = pd.concat(
        pd.DataFrame({"efficiency": values.to_numpy(), **named, "condition": name}).assign(
            teacher=TEACHERS, student=[*"uvwxyz"]
        )
        for name, values in (("weight", first), ("channel", second))
    )
    (row,) = clusters.added(significance(scored), scored).to_dict("records")
    assert (row["first"], row["n"]) == ("channel", 6)
    assert row["cluster_p"] == pytest.approx(1)
    assert row["log_cluster_p"] == pytest.approx(clusters.by_teacher(first, second))
    assert row["log_cluster_p"] < 0.3

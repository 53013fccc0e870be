"""Components of variance: by hand, against what was simulated, and from curves."""

import re

import numpy as np
import pandas as pd
import pytest

from kdprune.analysis import variance
from kdprune.errors import KdpruneError

SETTINGS = {"rule": "tolerance", "tolerance": 1.0, "slope_ratio": 1.0}


def simulated(shape, deviations, seed=0):
    """Observations [..., pairs, trainings, seeds] with so large deviations of each part."""
    draw = np.random.default_rng(seed).normal
    pair, training, tuning = deviations
    outer, (pairs, trainings, seeds) = shape[:-3], shape[-3:]
    return (
        draw(0, pair, (*outer, pairs, 1, 1))
        + draw(0, training, (*outer, pairs, trainings, 1))
        + draw(0, tuning, (*outer, pairs, trainings, seeds))
    )


def test_by_hand():
    """Two pairs of two trainings of two seeds.

    Means of trainings: 2, 4 and 9, 13; of pairs 3 and 11; of all 7. Squares within trainings are
    eight of 1, over 4 degrees of freedom: 2. Between trainings 2 (1 + 1 + 4 + 4) / 2 = 10; between
    pairs 4 (16 + 16) / 1 = 128. So (10 - 2) / 2 = 4 and (128 - 10) / 4 = 29.5.
    """
    values = np.array([[[1.0, 3.0], [3.0, 5.0]], [[8.0, 10.0], [12.0, 14.0]]])
    assert variance.components(values) == {"pair": 29.5, "training": 4.0, "tuning": 2.0}


def test_what_was_simulated_is_estimated():
    found = variance.components(simulated((400, 6, 5), (3.0, 2.0, 1.0)))
    assert [*found] == ["pair", "training", "tuning"]
    assert [*found.values()] == pytest.approx([9, 4, 1], rel=0.15)


def test_small_studies_are_right_on_average_and_hence_negative_at_times():
    many = simulated((4000, 3, 3, 4), (0.5, 1.0, 2.0))
    every = pd.DataFrame([variance.components(values) for values in many])
    assert every.mean().to_list() == pytest.approx([0.25, 1.0, 4.0], abs=0.1)
    assert (every.pair < 0).any()
    assert (every.training < 0).any()
    assert (every.tuning > 0).all()


@pytest.mark.parametrize(
    ("shape", "unknown"),
    [((1, 3, 2), {"pair"}), ((3, 1, 2), {"pair", "training"}), ((3, 2, 1), {"tuning"})],
)
def test_what_was_not_repeated_has_no_component(shape, unknown):
    found = variance.components(simulated(shape, (1, 1, 1)))
    assert {name for name, value in found.items() if value is None} == unknown


def test_one_seed_leaves_its_part_in_that_of_trainings():
    values = simulated((2000, 4, 1), (1.0, 1.0, 1.0))
    assert variance.components(values)["training"] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(
    "values", [np.ones((2, 2)), np.full((2, 2, 2), np.nan), np.ones((0, 1, 1))]
)
def test_what_is_no_design_is_refused(values):
    with pytest.raises(ValueError, match="finite values"):
        variance.components(values)


LEVELS = (0.0, 0.3, 0.6)
BROKEN = {  # the last level kept: by pair, training and seed
    "a": {"1": (0.3, 0.6), "2": (0.0, 0.3)},
    "b": {"1": (0.6, 0.6), "2": (0.3, 0.3)},
}


def sweeps(methods=("weight", "channel"), broken=BROKEN):
    """Curves that keep 80 % up to a level, then 20 %; by channel pruning with half the weights."""
    rows = []
    for method in methods:
        for student, trainings in broken.items():
            for training, kept in trainings.items():
                for seed, last in enumerate(kept):
                    who = {"dataset": "cifar10", "role": "student", "teacher": f"t_{student}"}
                    who |= {"student": student, "distill": "simkd", "training_seed": training}
                    for level in LEVELS:
                        accuracy = 80.0 if level <= last else 20.0
                        left = (1000 if method == "weight" else 500) * (1 - level)
                        row = {"method": method, "seed": seed, "level": level}
                        row |= {"nonzero_params": left, "val_accuracy": accuracy}
                        rows.append({**who, **row, "test_accuracy": accuracy})
    return pd.DataFrame(rows)


def test_each_seed_has_its_own_breakpoint_and_efficiency():
    seen = variance.observations(sweeps(["weight"]), **SETTINGS)
    assert seen[variance.LEVEL].to_list() == [0.3, 0.6, 0.0, 0.3, 0.6, 0.6, 0.3, 0.3]
    assert seen[variance.EFFICIENCY].to_list() == pytest.approx(
        [np.log(80 / 1000 / (1 - level)) for level in seen[variance.LEVEL]]
    )


def test_the_table_has_a_row_for_all_that_varies():
    found = variance.variance(sweeps(), **SETTINGS)
    assert [*zip(found.method, found.quantity, strict=True)] == [
        ("weight", variance.LEVEL),
        ("weight", variance.EFFICIENCY),
        ("channel", variance.LEVEL),
        ("channel", variance.EFFICIENCY),
        (variance.RATIO, variance.EFFICIENCY),
    ]
    assert (found[["n_pairs", "n_trainings", "n_seeds"]] == 2).all(axis=None)
    levels = np.array([[[0.3, 0.6], [0.0, 0.3]], [[0.6, 0.6], [0.3, 0.3]]])
    expected = variance.components(levels)
    assert found.iloc[0][["pair", "training", "tuning"]].to_list() == pytest.approx(
        [max(0, expected[part]) for part in variance.PARTS]
    )
    shares = found[[f"share_{part}" for part in variance.PARTS]]
    assert shares.iloc[:4].sum(axis=1).to_list() == pytest.approx([100] * 4)
    ratio = found.iloc[4]  # channel pruning leaves half of weight pruning, always
    assert ratio[[*variance.PARTS]].astype(float).to_list() == pytest.approx([0, 0, 0], abs=1e-20)


def test_what_comes_out_negative_is_put_at_0_and_named():
    broken = {"a": {"1": (0.0, 0.6), "2": (0.6, 0.0)}, "b": {"1": (0.6, 0.0), "2": (0.0, 0.6)}}
    row = variance.variance(sweeps(["weight"], broken), **SETTINGS).iloc[0]
    assert row.training == 0
    assert row.tuning > 0
    assert row.negative == "training"
    assert row.share_tuning == 100


def test_every_column_is_described(root):
    text = (root / "docs/reference/records.md").read_text()
    section = text.partition("## Variance")[2].partition("## ")[0]
    words = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)))
    assert [*variance.GROUP, *words] == variance.COLUMNS


def test_nothing_was_trained_twice():
    once = (
        sweeps()
        .drop(columns="training_seed")
        .drop_duplicates(["student", "method", "seed", "level"])
    )
    assert variance.variance(once, **SETTINGS).empty


def test_an_efficiency_of_0_is_said():
    table = sweeps(["weight"])
    table.loc[table.student == "a", "test_accuracy"] = 0.0
    row = variance.variance(table, **SETTINGS).iloc[1]
    assert row.reason == "an efficiency is 0, and has no logarithm"
    assert np.isnan(row.pair)


def test_a_training_that_is_missing_is_refused():
    table = sweeps()
    gone = (table.student == "a") & (table.training_seed == "2")
    with pytest.raises(KdpruneError, match="not every pair has every training"):
        variance.variance(table[~gone], **SETTINGS)

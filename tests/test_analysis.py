"""Breakpoints, efficiency and tests give the figures that can be worked out otherwise."""

import numpy as np
import pandas as pd
import pytest

from kdprune.analysis import bootstrap
from kdprune.analysis import breakpoints as breakpoints_of
from kdprune.analysis.breakpoints import RULES, breakpoints
from kdprune.analysis.efficiency import efficiency
from kdprune.analysis.significance import compare, holm, significance
from kdprune.analysis.summary import summary
from kdprune.errors import KdpruneError
from kdprune.outcomes import packed, unpacked
from kdprune.reporting.paper import published

LEVELS = np.arange(10) / 10
CURVES = {
    "cliff": [57, 57.2, 57.4, 57.3, 57.1, 56.6, 55.4, 52, 41, 18],
    "gradual": [57, 56.2, 55.2, 54, 52.5, 50.5, 47.5, 43, 36, 22],
    "dip": [57, 57.1, 55.5, 57.2, 57, 56.9, 56.4, 55, 44, 20],
    "crash": [57, 52, 40, 25, 14, 8, 4, 2, 1.2, 1],
    "flat": [57, 57, 57.1, 56.9, 57, 57.1, 56.8, 56.9, 56.7, 56.5],
}
EXPECTED = {  # tolerance, slope: by hand; kneedle: the height above the line from start to end
    "cliff": (0.5, 0.7, 0.7),
    "gradual": (0.1, 0.6, 0.7),
    "dip": (0.1, 0.7, 0.7),
    "crash": (0.0, 0.1, 0.1),
    "flat": (0.9, 0.5, 0.9),
}


def sweeps(curve, *, seeds: int = 4, noise: float = 0.0) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = []
    for seed in range(seeds):
        for level, accuracy in zip(LEVELS, curve, strict=True):
            value = accuracy + noise * generator.standard_normal()
            rows.append(
                {
                    "dataset": "cifar10",
                    "role": "student",
                    "teacher": "t",
                    "student": "s",
                    "distill": "simkd",
                    "method": "weight",
                    "seed": seed,
                    "level": level,
                    "ratio": level,
                    "sparsity": level,
                    "params": 1_000_000,
                    "nonzero_params": round(1_000_000 * (1 - level)),
                    "macs": 5,
                    "val_accuracy": value,
                    "test_accuracy": value - 1,
                }
            )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", CURVES)
def test_the_rules_on_curves_worked_out_by_hand(name):
    row = breakpoints(sweeps(CURVES[name])).iloc[0]
    assert (row.level_tolerance, row.level_kneedle, row.level_slope) == EXPECTED[name]
    assert row.level == EXPECTED[name][0]
    assert row.censored == (row.level == 0.9)
    assert row.test_accuracy == pytest.approx(CURVES[name][round(row.level * 10)] - 1)
    assert row.nonzero_params == round(1_000_000 * (1 - row.level))


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_chosen_is_the_one_reported(rule):
    row = breakpoints(sweeps(CURVES["cliff"]), rule=rule).iloc[0]
    assert row.level == row[f"level_{rule}"]
    assert row.level_low <= row.level <= row.level_high


def test_tolerance_is_monotone():
    found = [breakpoints(sweeps(CURVES["gradual"]), tolerance=t).level[0] for t in (0, 1, 2, 5, 40)]
    assert found == sorted(found)
    assert found[-1] == 0.9


def test_the_interval_widens_with_noise_and_repeats_itself():
    widths = []
    for noise in (0.0, 1.5):
        row = breakpoints(sweeps(CURVES["gradual"], noise=noise, seeds=10)).iloc[0]
        again = breakpoints(sweeps(CURVES["gradual"], noise=noise, seeds=10)).iloc[0]
        assert (row.level_low, row.level_high) == (again.level_low, again.level_high)
        widths.append(row.level_high - row.level_low)
    assert widths[0] == 0 < widths[1]


@pytest.mark.parametrize(("images", "ends"), [(200, (0.0, 0.1)), (20_000, (0.1, 0.1))])
def test_the_interval_knows_how_few_images_there_are(images, ends):
    """Level 0.1 loses half a point, the tolerance is one: of 200 images that is one of two."""
    right = np.ones((3, images), bool)
    for level, wrong in enumerate((0.2, 0.205, 0.5)):  # the same images, and some more
        right[level, : round(wrong * images)] = False
    levels, rows = [0.0, 0.1, 0.2], []
    for seed in range(2):
        table = sweeps(CURVES["cliff"], seeds=1).iloc[:3].assign(seed=seed, level=levels)
        table["val_accuracy"] = 100 * right.mean(1)
        rows.append(table.assign(val_right=[packed(bits) for bits in right]))
    row = breakpoints(pd.concat(rows)).iloc[0]
    assert row.level == 0.1
    assert (row.level_low, row.level_high) == ends
    alone = breakpoints(pd.concat(rows).drop(columns="val_right")).iloc[0]
    assert alone.level_low == alone.level_high == 0.1  # seeds that are alike say nothing


def test_bits_that_do_not_belong_to_the_accuracy_are_refused():
    table = sweeps(CURVES["cliff"], seeds=1)
    for word, said in (("", "damaged"), ("nothing", "damaged"), ("1f", "disagree")):
        with pytest.raises(KdpruneError, match=f"val_right.* {said}"):
            breakpoints(table.assign(val_right=word))


@pytest.mark.parametrize("count", [1, 4, 7, 400])
def test_bits_are_packed_and_unpacked(count):
    bits = np.random.default_rng(count).random(count) < 0.5
    bits[0] = False
    assert np.array_equal(unpacked(packed(bits)), bits)
    assert len(packed(bits)) == count // 4 + 1


def test_the_knee_is_the_highest_point_even_on_uneven_levels():
    """Heights above the line by hand; a blip near the end is a knee for kneed, and no answer."""
    table = sweeps([60, 60, 60, 59, 50, 40, 30, 20, 21, 10], seeds=1)
    assert breakpoints(table).level_kneedle[0] == 0.3
    uneven = sweeps([60, 40, 30, 0, 0, 0, 0, 0, 0, 0], seeds=1).iloc[:3]
    assert breakpoints(uneven.assign(level=[0.0, 0.8, 0.9])).level_kneedle[0] == 0.8


def test_one_seed_has_no_interval():
    row = breakpoints(sweeps(CURVES["cliff"], seeds=1)).iloc[0]
    assert row.n_seeds == 1
    assert pd.isna(row.level_low)
    assert pd.isna(row.test_sd)


def test_a_seed_without_a_level_is_refused():
    with pytest.raises(KdpruneError, match="not every seed"):
        breakpoints(sweeps(CURVES["cliff"]).iloc[:-1])


def checkpoints() -> pd.DataFrame:
    shared = {"dataset": "cifar10", "teacher": "t", "val_accuracy": 60.0, "test_accuracy": 50.0}
    sizes = {"params": 1_000_000, "encoder_params": 600_000, "paper_params": 2_000_000}
    return pd.DataFrame(
        [
            {**shared, **sizes, "role": "teacher", "student": "", "distill": ""},
            {**shared, **sizes, "role": "student", "student": "s", "distill": "simkd"},
        ]
    )


@pytest.mark.parametrize(("count", "size"), [("composite", 1e6), ("encoder", 6e5), ("paper", 2e6)])
def test_efficiency_is_accuracy_per_1e7_parameters(count, size):
    found = breakpoints(sweeps(CURVES["cliff"]))
    table = efficiency(found, checkpoints(), count=count).set_index("condition")
    assert table.efficiency["distilled"] == pytest.approx(50 / (size / 1e7))
    assert table.efficiency["weight"] == pytest.approx(55.6 / (size / 2 / 1e7))
    assert table.normalised.max() == 1
    doubled = efficiency(found, checkpoints(), count=count, w1=1.0).set_index("condition")
    assert doubled.efficiency["weight"] == pytest.approx(2 * table.efficiency["weight"])


PAPER = {  # from the paper's Tables 1 and 2, recomputed
    "cifar100": {
        "t": -8.2084, "p": 1.80e-5, "mean_difference": -108.3, "ci_low": -138.2,
        "ci_high": -78.5, "d_z": -2.60, "wilcoxon_p": 0.00195, "sign_flip_p": 0.00195,
        "shapiro_p": 0.87, "log_t": -7.59, "ratio": 0.365, "ratio_low": 0.270,
        "ratio_high": 0.492, "cluster_p": 0.0156, "holm_p": 3.60e-5,
    },
    "cifar10": {
        "t": -5.7495, "p": 2.76e-4, "mean_difference": -152.3, "ci_low": -212.2,
        "ci_high": -92.4, "d_z": -1.82, "wilcoxon_p": 0.00195, "sign_flip_p": 0.00195,
        "shapiro_p": 0.23, "log_t": -7.58, "ratio": 0.424, "ratio_low": 0.328,
        "ratio_high": 0.548, "cluster_p": 0.0156, "holm_p": 2.76e-4,
    },
}  # fmt: skip


@pytest.mark.parametrize("dataset", PAPER)
def test_the_papers_tables_give_these_statistics(dataset):
    row = significance(published.efficiencies()).set_index("dataset").loc[dataset]
    assert (row["first"], row.second, row.n, row.df) == ("channel", "weight", 10, 9)
    for name, value in PAPER[dataset].items():
        assert row[name] == pytest.approx(value, rel=0.02 if abs(value) < 1 else 2e-3), name


def test_the_papers_own_figures_are_kept_beside():
    assert published.ttests().set_index("dataset").t.to_dict() == {
        "cifar10": -5.6,
        "cifar100": -7.06,
    }
    assert len(published.breakpoints()) == 40
    assert len(published.comparison()) == 8


def test_the_papers_tables_equal_the_transcript(root):
    folder = root.parent / "shared" / "paper"
    if not folder.is_dir():
        pytest.skip("the transcript of the paper's tables is not there")
    names = {"breakpoints": "breakpoints", "comparison": "comparison_cifar100", "ttests": "ttests"}
    for function, file in names.items():
        expected = pd.read_csv(folder / f"{file}.csv")
        pd.testing.assert_frame_equal(getattr(published, function)(), expected)


def pairs(values, teachers=None) -> pd.Series:
    teachers = teachers or [f"t{number}" for number in range(len(values))]
    index = pd.MultiIndex.from_arrays([teachers, range(len(values))])
    return pd.Series(values, index=index, dtype=float)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [([], [], "0 pair"), ([1], [2], "1 pair"), ([1, 2, 3], [2, 3, 4], "variance is zero")],
)
def test_what_cannot_be_tested_says_why(first, second, reason):
    result = compare(pairs(first), pairs(second))
    assert reason in result["reason"]
    assert result["p"] is None
    assert not any(isinstance(v, float) and not np.isfinite(v) for v in result.values())


def test_seeds_are_no_pairs():
    table = published.efficiencies()
    twice = pd.concat([table, table], ignore_index=True)
    assert significance(twice).n.tolist() == significance(table).n.tolist() == [10, 10]


def test_holm_by_hand():
    p = pd.Series([0.01, None, 0.04, 0.03, 0.005])
    adjusted = holm(p)
    assert adjusted[[0, 2, 3, 4]].tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert pd.isna(adjusted[1])


def tables(methods: tuple[str, ...]) -> list[pd.DataFrame]:
    """Two pairs whose summary can be worked out by head."""
    breaks, scores, differences = [], [], []
    for shift, method in enumerate(methods):
        who = {"dataset": "cifar10", "role": "student", "distill": method}
        for pair, accuracy in enumerate((60, 50)):
            one = who | {"teacher": f"t{pair}", "student": "s"}
            scores += [one | {"condition": "distilled", "accuracy": accuracy - shift}]
            for pruning, drop, left in (("weight", 2, 200), ("channel", 4, 600)):
                scores += [one | {"condition": pruning, "accuracy": accuracy - shift - drop}]
                breaks += [one | {"method": pruning, "nonzero_params": left + 100 * pair}]
                breaks[-1] |= {"dense_params": 1000}
        tested = {"ratio": 0.51234, "log_holm_p": 0.123456}
        differences += [who | {"first": "channel", "second": "weight", **tested}]
        differences += [
            who | {"first": "channel", "second": "distilled", "ratio": 9, "log_holm_p": 9}
        ]
    scores += [{"role": "teacher", "distill": "", "condition": "teacher", "accuracy": 99}]
    return [pd.DataFrame(rows) for rows in (breaks, scores, differences)]


def test_the_summary_is_that_of_the_students():
    expected = {"pairs": 2, "student": 55.0, "channel": 51.0, "channel_left": 65.0}
    expected |= {"weight": 53.0, "weight_left": 25.0, "ratio": 0.512, "p": 0.1235}
    assert summary(*tables(("simkd",))) == expected
    assert summary(*tables(("kd", "simkd")))["simkd"] == expected | {
        "student": 54.0,
        "channel": 50.0,
        "weight": 52.0,
    }


def test_the_summary_leaves_out_what_was_not_run():
    breaks, scores, differences = tables(("simkd",))
    alone = [
        table[table.get("method", table.get("condition")) != "channel"]
        for table in (breaks, scores)
    ]
    found = summary(*alone, differences[:0])
    assert list(found) == ["pairs", "student", "weight", "weight_left"]
    unpruned = scores[scores.condition == "distilled"]
    assert summary(breaks[:0], unpruned, differences[:0]) == {"pairs": 2, "student": 55.0}
    differences["log_holm_p"] = np.nan  # one pair has no p
    assert "p" not in summary(breaks, scores, differences)


def test_an_end_is_settled_where_more_draws_would_not_move_it():
    """1,000 draws: two standard errors of 2.5 % are 2 sqrt(.025 x .975 / 1000) = .99 %."""
    for low, expected in ((25, False), (34, False), (35, True), (16, False), (15, True), (0, True)):
        found = np.repeat([0, 1], [low, 1000 - low])
        assert bootstrap.settled(found, 0.025) == expected
        assert bootstrap.settled(1 - found, 0.025) == expected  # the other end
    assert bootstrap.settled(np.full(1000, 3), 0.025)


@pytest.mark.parametrize(("share", "drawn"), [(0.5, 1000), (0.026, 10_000)])
def test_more_is_drawn_only_where_an_end_is_open(share, drawn):
    seen = []

    def locate(curves):
        seen.append(len(curves))
        place = sum(seen) - len(curves) + np.arange(len(curves))
        return (place % 1000 >= 1000 * share).astype(int)  # the draws of a known distribution

    outcomes = np.random.default_rng(0).random((2, 2, 3))
    found = bootstrap.interval(outcomes, locate, resamples=1000, confidence=0.95, seed=0)
    assert sum(seen) == drawn
    assert found == (0, 1)


@pytest.mark.parametrize(
    ("curve", "level"),
    [
        ([80, 90, 60, 20], 0.1),  # rises first: heights over 80 to 20 are 0, 30, 20, 0
        ([80, 78, 10, 30], 0.1),  # ends above its lowest: 0, 14.7, -36.7, 0
        ([80, 95, 94, 20], 0.2),  # 0, 35, 54, 0
    ],
)
def test_kneedles_line_is_from_start_to_end(curve, level):
    levels, remaining = np.array([0.0, 0.1, 0.2, 0.3]), np.array([10, 9, 8, 7])
    curve = np.array([curve], float)
    assert levels[breakpoints_of.by_kneedle(curve, levels, remaining)[0]] == level
    # where a curve runs from its highest to its lowest, kneed says the same as the rule
    for seed in range(50):
        falling = -np.sort(-np.random.default_rng(seed).uniform(0, 100, (1, 4)))
        height = falling[0] - np.interp(levels, levels[[0, -1]], falling[0, [0, -1]])
        found = breakpoints_of.by_kneedle(falling, levels, remaining)[0]
        assert found == (height.argmax() if height.max() > 1e-9 else 0)

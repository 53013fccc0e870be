"""Bytes beside parameters: what networks take at their breakpoints, and what the answer says."""

import numpy as np
import pandas as pd
import pytest

from kdprune.analysis import sizes
from kdprune.analysis.conditions import conditions
from kdprune.reporting.headline import Headline
from kdprune.reporting.sections.verdict import together
from kdprune.reporting.sections.weighed import bytes_of, lead_by_bytes

WHO = {"dataset": "cifar10", "role": "student", "student": "s", "distill": "simkd"}
ROW = {"dataset": "cifar10", "role": "student", "distill": "simkd"}
ROW |= {"first": "channel", "second": "weight"}
PAIRS = ("a", "b", "c")
# a network of 1,000 weights in a layer and 20 parameters beside: 504 are left by either method
CURVES = {"weight": (1020, 504, 484), "channel": (504, 504, 484)}
MASKED = 1000 / 8 + 4 * 484 + 4 * 20


def tables(levels=(0.5, 0.5)):
    """The breakpoints and layers of three students under both methods."""
    breaks, layers = [], []
    for number, teacher in enumerate(PAIRS):
        for (method, (params, left, weights)), level in zip(CURVES.items(), levels, strict=True):
            who = {**WHO, "teacher": teacher, "method": method, "level": level}
            if not level:
                params, left, weights = 1020, 1020, 1000
            counts = {"params": params, "nonzero_params": left}
            breaks.append({**who, **counts, "test_accuracy": 50.0 + number * (method == "weight")})
            layers += [
                {**who, "level": at, "layer": "conv", "params": 1000, "nonzero_params": weights}
                for at in (0.9, level)
            ]
    return pd.DataFrame(breaks), pd.DataFrame(layers)


def test_a_mask_costs_a_bit_a_place_and_a_cut_nothing():
    found = sizes.stored(*tables()).groupby("method").bytes.unique()
    assert found["weight"].tolist() == [MASKED]
    assert found["channel"].tolist() == [4 * 504]


def test_a_mask_that_costs_more_than_it_saves_is_left_out():
    breaks, layers = tables()
    few = breaks.assign(nonzero_params=np.where(breaks.method == "weight", 1000, 504))
    layers["nonzero_params"] = np.where(layers.method == "weight", 980, 484)
    found = sizes.stored(few, layers)
    assert set(found[found.method == "weight"].bytes) == {4 * 1020}  # 80 bytes saved of 125


def test_a_curve_that_breaks_at_once_has_the_whole_network():
    found = sizes.stored(*tables(levels=(0.0, 0.5)))
    assert set(found[found.method == "weight"].bytes) == {4 * 1020}


def test_the_committed_bytes_are_those_that_were_measured(root):
    """Against files that were written: they have buffers and names besides, a percent or two."""
    read = {"keep_default_na": False, "na_values": [""]}
    breaks = pd.read_csv(root / "metrics/breakpoints.csv", **read).fillna({"student": ""})
    layers = [pd.read_csv(path, **read) for path in (root / "metrics/layers").glob("*.csv")]
    named = {"student": "", "distill": ""}
    found = sizes.stored(breaks.fillna(named), pd.concat(layers).fillna(named))
    path = root / "metrics/measure.csv"
    if not path.is_file():
        pytest.skip("the stage measure has not run")
    files = pd.read_csv(path, **read).fillna(named).query("batch == 1")
    both = found.merge(files, on=["dataset", "role", "teacher", "student", "distill", "method"])
    assert len(both)
    ratio = both[["dense_bytes", "sparse_bytes"]].min(axis=1) / both.bytes
    assert ratio.between(1.0, 1.1).all()


def test_bytes_are_known_at_every_level():
    """As at the breakpoint, where the same rows are asked for."""
    breaks, layers = tables()
    both = pd.concat([breaks, breaks.assign(level=0.9)], ignore_index=True)
    found = sizes.plain(both, layers)
    assert len(found) == len(both)
    at = dict(found.groupby(["method", "level"]).bytes.unique())
    assert at["weight", 0.5] == at["weight", 0.9] == [MASKED]
    assert len(sizes.plain(both.assign(level=0.7), layers)) == 0  # of no known layers


def codings(bits=(8, 5)):
    """Files of which a masked network's takes 1.5 times the bytes of a cut one's."""
    return pd.DataFrame(
        {**WHO, "teacher": teacher, "method": method, "level": level, "coding": f"shared{one}"}
        | {"nonzero_params": 504, "bytes": each * one * 10, "test_accuracy": 48.0 + level}
        for teacher in PAIRS
        for method, each in (("weight", 15), ("channel", 10))
        for level in (0.0, 0.5)
        for one in bits
    )


def test_ratios_are_by_the_accuracy_and_bytes_of_each_coding():
    breaks, layers = tables()
    both = [sizes.stored(breaks, layers), sizes.coded(breaks, codings())]
    found = sizes.ratios(pd.concat(both), "channel", "weight", confidence=0.95).set_index("count")
    assert [*found.index] == ["float32", "shared8", "shared5"]
    assert set(found.n) == {3}
    expected = [50 / (4 * 504) / ((50 + number) / MASKED) for number in range(3)]
    assert found.ratio["float32"] == pytest.approx(np.exp(np.log(expected).mean()))
    assert found.ratio_low["float32"] < found.ratio["float32"] < found.ratio_high["float32"]
    assert found.ratio["shared8"] == pytest.approx(1.5)
    assert pd.isna(found.ratio_low["shared8"])  # all pairs alike: no interval
    assert found.first_bytes["float32"] == 4
    assert found.second_bytes["shared5"] == pytest.approx(15 * 5 * 10 / 504)


def test_the_answer_names_bytes():
    breaks, layers = tables()
    both = [sizes.stored(breaks, layers), sizes.coded(breaks, codings((5,)))]
    said = bytes_of(ROW, pd.concat(both), confidence=0.95)
    assert "(n = 3 pairs; 95 % CI)" in said
    assert "as plain numbers, channel pruning has 1.04 times that of weight pruning" in said
    assert "by shared values of 5 bits, channel pruning has 1.50 times" in said
    assert "(0.99 bytes and 1.49 bytes)" in said
    assert "real files" in said
    swapped = bytes_of({**ROW, "first": "weight", "second": "channel"}, both[1], confidence=0.95)
    assert "channel pruning has 1.50 times" in swapped
    assert bytes_of(ROW, None, confidence=0.95) == ""
    assert bytes_of({**ROW, "second": "lamp"}, both[0], confidence=0.95) == ""
    assert "real files" not in bytes_of(ROW, both[0], confidence=0.95)


def by(weight: float, channel: float, spread: float = 0.01) -> pd.DataFrame:
    """Bytes of three pairs by each pruning, a little apart from pair to pair."""
    rows = [
        {**WHO, "teacher": teacher, "method": method, "count": "float32", "params": 100}
        | {"bytes": size * (1 + spread * place * (-1) ** place), "accuracy": 50.0}
        for place, teacher in enumerate(PAIRS)
        for method, size in (("weight", weight), ("channel", channel))
    ]
    table = pd.DataFrame(rows)
    turned = table.method.eq("channel") & table.teacher.eq("b")
    table.loc[turned, "bytes"] *= 1 + spread
    return table.assign(efficiency=table.accuracy / table.bytes)


def headline(p: float, ahead="weight", behind="channel") -> Headline:
    return Headline(ROW, ahead, behind, n=3, wins=3, ratio=2.0, low=1.5, high=2.5, p=p)


@pytest.mark.parametrize(
    ("p", "sizes_", "said"),
    [
        (0.001, by(100, 150), "; by bytes the lead stays"),
        (0.001, by(100, 101, spread=0.5), "; by bytes the lead is gone"),
        (0.001, by(150, 100), "; by bytes channel pruning leads"),
        (0.5, by(100, 150), "; by bytes weight pruning leads"),
        (0.5, by(150, 100), "; by bytes channel pruning leads"),
        (0.5, by(100, 101, spread=0.5), ", by parameters or by bytes"),
        (0.5, None, ""),
        (0.5, by(100, 150).assign(dataset="cifar100"), ""),
    ],
)
def test_the_verdict_goes_on_by_bytes(p, sizes_, said):
    found = headline(p)
    assert lead_by_bytes(found, sizes_, confidence=0.95) == said
    (sentence,) = together([found], 0.95, {"cifar10": said})
    assert sentence.endswith(f"{said}.")
    assert sentence.startswith("Weight pruning kept more accuracy per parameter")
    if said:  # whoever is ahead by parameters, the bytes are the same
        other = headline(p, "channel", "weight")
        told = lead_by_bytes(other, sizes_, confidence=0.95)
        turned = {
            "; by bytes the lead stays": "; by bytes weight pruning leads",
            "; by bytes channel pruning leads": "; by bytes the lead stays",
        }
        assert told == (turned.get(said, said) if p < 0.05 else said)


def test_two_data_sets_that_differ_by_bytes_have_a_sentence_each():
    second = Headline(
        {**ROW, "dataset": "cifar100"}, "weight", "channel", 3, 3, 2.0, 1.5, 2.5, 0.01
    )
    both = [headline(0.01), second]
    stays = {"cifar10": "; by bytes the lead stays", "cifar100": "; by bytes the lead stays"}
    assert len(together(both, 0.95, stays)) == 1
    one, other = together(both, 0.95, {**stays, "cifar100": "; by bytes the lead is gone"})
    assert one.startswith("CIFAR-10: ")
    assert one.endswith("; by bytes the lead stays.")
    assert other.endswith("; by bytes the lead is gone.")


def test_compare_has_a_row_per_coding():
    breaks, _ = tables()
    scored = breaks.rename(columns={"method": "condition"}).assign(accuracy=50.0, efficiency=1.0)
    given = {"efficiency": scored, "breakpoints": breaks, "codings": codings()}
    rows = conditions({"x": given}).set_index("count")
    assert [*rows.index] == ["parameters", "bytes, shared8", "bytes, shared5"]
    assert [*conditions({"x": {**given, "codings": pd.DataFrame()}})["count"]] == ["parameters"]

"""Weights that no image reaches: which they are, and what the answer is without them."""

import copy

import pandas as pd
import pytest
import torch
from torch import nn

from kdprune.analysis.conditions import conditions
from kdprune.analysis.reached import ratio, reached
from kdprune.models import counts
from kdprune.pruning import channel, global_weight, lamp, weight
from kdprune.reporting.sections.weighed import reached_of
from kdprune.study import checked

WHO = {"dataset": "cifar10", "role": "student", "student": "s", "distill": "simkd"}


class Small(nn.Module):
    """Images of 4 pixels; maps of 4, 1 and 1: of the last kernel one tap of nine is reached."""

    input_size = 4

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, stride=4, padding=1)
        self.third = nn.Conv2d(8, 8, (3, 5), padding=(1, 2))
        self.head = nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.third(self.second(self.first(images)).relu()).relu()
        return self.head(maps.flatten(1))

    def get_classifier(self) -> nn.Module:
        return self.head


def test_the_taps_are_those_whose_weights_have_a_gradient():
    torch.manual_seed(0)
    model = Small()
    images = torch.rand(16, 3, 4, 4) + 0.1
    model(images).square().sum().backward()
    found = counts.taps(model, 4)
    assert found["third"].nonzero().tolist() == [[1, 2]]
    for name, taps in found.items():
        gradient = model.get_submodule(name).weight.grad.abs().sum((0, 1))
        assert torch.equal(gradient > 0, taps), name


def test_what_is_not_reached_may_hold_anything():
    torch.manual_seed(0)
    model = Small()
    other = copy.deepcopy(model)
    for name, taps in counts.taps(model, 4).items():
        other.get_submodule(name).weight.data[..., ~taps] = 1000.0
    images = torch.rand(8, 3, 4, 4)
    assert torch.equal(model(images), other(images))


@pytest.mark.parametrize("method", [weight, global_weight, channel, lamp])
def test_what_is_left_is_counted_where_it_is_reached(method):
    torch.manual_seed(0)
    for pruned in method.prune(Small().eval(), [0.0, 0.5], input_size=4):
        left = pruned.reached_params()
        for row in pruned.layers:
            layer = pruned.model.get_submodule(row["layer"])
            held = layer.weight.detach()
            taps = counts.taps(pruned.model, 4).get(row["layer"])
            live = held if taps is None else held[..., taps]
            assert left[row["layer"]] == (live != 0).sum() <= row["nonzero_params"]


def tables(dead: dict[str, int]) -> dict[str, pd.DataFrame]:
    """Three students: 100 parameters beside a layer of 900, of which so many are dead."""
    breaks, layers = [], []
    for number, teacher in enumerate("abc"):
        for method, unreached in dead.items():
            who = {**WHO, "teacher": teacher, "method": method, "level": 0.5}
            sizes = {"params": 1900, "nonzero_params": 1000}
            breaks.append({**who, **sizes, "test_accuracy": 50.0 + number % 2})
            row = {**who, "layer": "conv", "params": 1800, "nonzero_params": 900}
            layers.append({**row, "reached_params": 900 - unreached - 10 * number})
    return {"breakpoints": pd.DataFrame(breaks), "layers": pd.DataFrame(layers)}


def test_accuracy_is_divided_by_what_is_reached():
    found = reached(**tables({"weight": 0, "channel": 500}))
    assert found.params.tolist() == [1000, 500, 990, 490, 980, 480]
    assert found.efficiency.tolist() == pytest.approx(
        [50 / 1e-4, 50 / 5e-5, 51 / 9.9e-5, 51 / 4.9e-5, 50 / 9.8e-5, 50 / 4.8e-5]
    )


def test_the_ratio_is_over_pairs_and_the_command_counts_it():
    held = tables({"weight": 0, "channel": 500})
    wanted = (500 / 1000 * 490 / 990 * 480 / 980) ** (1 / 3)
    found = ratio(reached(**held), "weight", "channel", confidence=0.95)
    assert (found["n"], found["ratio"]) == (3, pytest.approx(wanted))
    scored = held["breakpoints"].rename(columns={"method": "condition"})
    scored = scored.assign(efficiency=scored.test_accuracy, accuracy=scored.test_accuracy)
    rows = conditions({"s": {"efficiency": scored, **held}}, first="weight", second="channel")
    assert rows.set_index("count").ratio["reached parameters"] == pytest.approx(wanted)
    row = {**WHO, "first": "weight", "second": "channel"}
    said = reached_of(row, reached(**held), confidence=0.95)
    assert "channel pruning has 2.02 times the accuracy per parameter of weight pruning" in said
    assert "n = 3 pairs" in said


@pytest.mark.parametrize("none", ["no column", "no dead weight", "no table"])
def test_nothing_is_said_where_nothing_is_known(none):
    held = tables({"weight": 0, "channel": 0})
    held["layers"] = {
        "no column": held["layers"].drop(columns="reached_params"),
        "no dead weight": held["layers"].assign(reached_params=900),
        "no table": None,
    }[none]
    assert reached(**held) is None
    assert reached_of({**WHO, "first": "a", "second": "b"}, None, confidence=0.95) == ""


@pytest.mark.parametrize("value", ["-1", "nan", "many"])
def test_a_count_that_is_none_is_refused(tmp_path, value):
    row = tables({"weight": 0})["layers"].iloc[:1].assign(kind="conv", reached_params=value)
    row.to_csv(tmp_path / "layers.csv", index=False)
    with pytest.raises(checked.KdpruneError, match=r"layers\.csv: reached_params"):
        checked.read(tmp_path / "layers.csv", "layers")
    old = row.drop(columns="reached_params")
    old.to_csv(tmp_path / "layers.csv", index=False)
    assert len(checked.read(tmp_path / "layers.csv", "layers")) == 1

"""Scores, scopes and criteria against shared/reference_compress.json, and its wrong values absent.

The file lies beside the repository, where there is one; the figures that matter most stand here.
"""

import functools
import json

import pytest
import torch
from conftest import ROOT
from torch import nn

from kdprune.models import counts
from kdprune.pruning import METHODS, criteria, scopes, scores
from kdprune.pruning.groups import OUT, Group, Site
from kdprune.pruning.norms import norm_behind

FILE = ROOT.parent / "shared" / "reference_compress.json"
LAYERS = {"a": (1.0, 0.7), "b": (0.3, 0.9), "c": (0.6, 1.3)}  # scale and frequency
BEHIND = {"conv1": "bn1", "conv2": "bn2"}


@functools.cache
def cases() -> dict:
    if not FILE.is_file():
        pytest.skip(f"{FILE.name} is not in a folder shared/ beside the repository")
    return {case["name"]: case for case in json.loads(FILE.read_text())["cases"]}


def waves(shape, scale: float, frequency: float, shift: float) -> torch.Tensor:
    """w[i] = scale (0.5 + 0.1 ((5 o + 3) mod O)) sin(frequency i^1.2 + shift), in float64."""
    numbers = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    outputs = torch.arange(shape[0]).repeat_interleave(len(numbers) // shape[0])
    factors = 0.5 + 0.1 * ((5 * outputs + 3) % shape[0])
    return (scale * factors * torch.sin(frequency * numbers**1.2 + shift)).view(shape)


def layered() -> nn.Module:
    """The three layers of the cases on weights: nothing runs them."""
    model = nn.Module()
    model.a, model.b, model.c = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 5)
    model.double()
    with torch.no_grad():
        for name, (scale, frequency) in LAYERS.items():
            weight = getattr(model, name).weight
            weight.copy_(waves(weight.shape, scale, frequency, 0.3))
    return model


def kept(scope: str, level: float, **how) -> dict[str, int]:
    pruned = next(METHODS["weight"](layered(), [level], scope=scope, **how))
    total = sum(row["params"] for row in pruned.layers)
    left = {row["layer"]: row["nonzero_params"] for row in pruned.layers}
    assert sum(left.values()) == total - round(pruned.sparsity * total)
    for name, count in left.items():
        whole = torch.ones_like(getattr(layered(), name).weight)
        assert count == pruned.masks.get(f"{name}.weight", whole).sum()
    return left


class Tiny(nn.Module):
    """The network of the cases on channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.bn1(self.conv1(images)).relu()
        return self.fc(self.bn2(self.conv2(maps)).relu().mean((2, 3)))


def small() -> Tiny:
    model = Tiny().double().eval()
    with torch.no_grad():
        for layer, values in (
            (model.conv1, (0.4, 0.7, 0.1)),
            (model.conv2, (0.25, 0.9, 0.2)),
            (model.fc, (0.5, 1.3, 0.4)),
        ):
            layer.weight.copy_(waves(layer.weight.shape, *values))
        model.fc.bias.copy_(0.1 * torch.arange(5.0, dtype=torch.float64).cos())
        for k, norm in ((1, model.bn1), (2, model.bn2)):
            i = torch.arange(norm.num_features, dtype=torch.float64)
            norm.weight.copy_(1 + 0.3 * (1.7 * i + k).sin())
            norm.bias.copy_(0.1 * (2 * i + k).cos())
            norm.running_mean.copy_(0.05 * (3 * i + k).sin())
            norm.running_var.copy_(1 + 0.4 * (i + k).cos() ** 2)
    return model


def differentiated() -> Tiny:
    """The small network with the gradients of one batch's mean loss."""
    model = small()
    loss(model)[1].backward()
    return model


def loss(model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    i = torch.arange(6 * 3 * 8 * 8, dtype=torch.float64)
    images = ((0.05 * i).sin() + 0.5 * (0.013 * i**1.1).cos()).view(6, 3, 8, 8)
    logits = model(images)
    return logits[0], nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 4, 0]))


def close(ours: torch.Tensor, theirs: list[float], tolerance: float = 1e-5) -> bool:
    return ours.tolist() == pytest.approx(theirs, rel=tolerance)


# Weights


@pytest.mark.parametrize(
    ("scope", "level", "left"),
    [
        ("layer", 0.5, (108, 288, 20)),
        ("layer", 0.9, (22, 58, 4)),
        ("global", 0.5, (180, 206, 30)),
        ("global", 0.9, (83, 0, 0)),
        ("lamp", 0.8, (59, 78, 29)),
        ("erk", 0.5, (164, 212, 40)),
        ("std", 213 / 832, (161, 427, 31)),  # what stays above half a deviation
    ],
)
def test_a_scope_keeps_as_many_of_each_layer_as_the_authors_code(scope, level, left):
    assert tuple(kept(scope, level).values()) == left


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_magnitude_cases(level):
    expected = cases()[f"magnitude_kept_{level}"]["expected"]
    for scope in ("layer", "global"):
        assert kept(scope, level) == expected[scope]


def test_lamp_cases():
    assert kept("lamp", 0.8) == cases()["lamp_kept_0.8"]["expected"]
    model = layered()
    for name, theirs in cases()["lamp_scores"]["expected"].items():
        weight, scored = getattr(model, name).weight, scores.l1(model)
        ours = torch.empty(weight.numel(), dtype=torch.float64)
        ours[scored.order[name]] = scopes.lamp(scored.rising[name], weight)
        assert close(ours[:6], theirs["first6"])
        assert ours.sum().item() == pytest.approx(theirs["sum"], rel=1e-5)
        assert ours.max().item() == 1


def test_erk_case():
    assert kept("erk", 0.5) == cases()["erk_density_0.5"]["expected"]


def test_the_deviation_is_that_over_n():
    case = cases()["han_std_threshold_0.5"]["expected"]
    for name, theirs in case["std_ddof0"].items():
        weight = getattr(layered(), name).weight.detach()
        one = torch.ones(1, dtype=torch.float64)
        assert scopes.per_deviation(one, weight).item() == pytest.approx(1 / theirs, rel=1e-7)
    gone = 832 - sum(case["ddof0"].values())
    assert kept("std", gone / 832) == case["ddof0"]
    assert kept("std", gone / 832) != case["ddof1"]


# Channels


def test_the_small_network_is_that_of_the_cases():
    logits, mean = loss(small())
    expected = cases()["tiny_forward"]["expected"]
    assert close(logits, expected["logits0"])
    assert mean.item() == pytest.approx(expected["loss"], rel=1e-5)
    assert norm_behind(small(), 8) == BEHIND


def filters(criterion: str, name: str) -> torch.Tensor:
    model = small()
    if criterion == "bn":
        return criteria.scale(model, group(name), BEHIND)(name, model.get_submodule(name))
    return criteria.OF_FILTERS[criterion](name, model.get_submodule(name))


def group(name: str) -> Group:
    width = len(small().get_submodule(name).weight)
    every = torch.arange(width).numpy()
    return Group(width, [Site(name, OUT, width, every, every, cut=lambda *_: None)])


def test_filters_that_lie_amid_the_others_go_first():
    ours = filters("fpgm", "conv1")
    theirs = [12.15669972, 10.51035219, 13.30731575, 11.62404631, 15.46443326, 12.38986855]
    assert close(ours[:6], theirs)
    assert criteria.ranking(small(), group("conv1"), criteria.fpgm).tolist()[:3] == [1, 6, 3]
    assert criteria.ranking(small(), group("conv2"), criteria.fpgm).tolist() == [3, 2, 0, 1, 5, 4]


@pytest.mark.parametrize("name", ["conv1", "conv2"])
def test_norms_of_channels(name):
    case = cases()["channel_norms"]
    expected, wrong = case["expected"][name], case["wrong"]
    assert close(filters("l1", name), expected["l1"])
    assert close(filters("l2", name), expected["l2_squared"])
    assert close(filters("fpgm", name), expected["fpgm"])
    assert close(filters("bn", name), expected["bn"])
    squared = next(values for key, values in wrong.items() if key.startswith("fpgm_of"))
    assert not close(filters("fpgm", name), squared[name], 0.1)
    order = criteria.ranking(small(), group(name), criteria.fpgm).tolist()
    assert order == wrong["orders"][name]["fpgm"] != wrong["orders"][name]["torch_pruning"]


GATES = [5.06912525e-06, 6.891386135e-05, 2.645483031e-06, 2.048185018e-06, 1.015709765e-07]


def test_a_gate_behind_batch_norm_needs_no_hook():
    """It is what a gate of its own would have as its gradient: with the shift, not γ alone."""
    change = criteria.changes(differentiated(), BEHIND)["conv1"]
    assert close(change[:5].square(), GATES)
    model = small()
    gate = torch.ones(8, 1, 1, dtype=torch.float64, requires_grad=True)
    model.bn1.register_forward_hook(lambda layer, inputs, output: output * gate)
    loss(model)[1].backward()
    torch.testing.assert_close(change, gate.grad.flatten())


@pytest.mark.parametrize("name", ["conv1", "conv2"])
def test_taylor_scores_of_channels(name):
    gates, forms = cases()["gate_from_batch_norm"], cases()["taylor_channels"]["expected"]
    behind = criteria.changes(differentiated(), BEHIND)[name].square()
    assert close(behind, gates["expected"][name])
    assert close(behind, forms[name]["gate_squared_batch"])
    alone = next(item for key, item in gates["wrong"].items() if key.startswith("gamma_only"))
    assert not close(behind, alone[name], 0.05)
    without = criteria.changes(differentiated(), {})[name]
    assert close(without, forms[name]["weight_sum_abs"])
    assert not close(without, forms[name]["weight_abs_of_sum"], 0.05)


def test_every_prunable_layer_of_the_small_network_is_scored():
    assert criteria.changes(differentiated(), BEHIND).keys() == counts.prunable(small()).keys()

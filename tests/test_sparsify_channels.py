"""Methods that shrink channels while they train: their mathematics, on tiny networks."""

import copy
import functools
import json

import numpy as np
import pytest
import torch
from conftest import ROOT
from networks import dataset, images, tiny
from test_reference_compress import waves
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.pruning import METHODS, groups, ssl
from kdprune.pruning.groups import OUT, Group, Site
from kdprune.pruning.trained import OnLabels
from kdprune.sparsification.rounds import Rounds
from kdprune.training.recipe import Recipe

FILE = ROOT.parent / "shared" / "reference_compress.json"
RECIPE = Recipe(epochs=1, batch_size=16, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.0)


@functools.cache
def cases() -> dict:
    if not FILE.is_file():
        pytest.skip(f"{FILE.name} is not in a folder shared/ beside the repository")
    return {case["name"]: case for case in json.loads(FILE.read_text())["cases"]}


def rounds(method: str = "ssl") -> Rounds:
    return Rounds(dataset(32), RECIPE, method=method)


def penalised(model: nn.Module, **how) -> ssl.Penalised:
    settings = {"penalty": "group", "strength": 0.1, "lr": 0.1} | how
    return ssl.Penalised(model, groups.find(model), **settings)


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return images(4), torch.arange(4), torch.arange(4)


def one_layer() -> tuple[nn.Module, Group]:
    """The layer of the case, a group of its eight filters."""
    model, every = nn.Module(), np.arange(8)
    model.b = nn.Conv2d(8, 8, 3, bias=False).double()
    with torch.no_grad():
        model.b.weight.copy_(waves((8, 8, 3, 3), 0.3, 0.9, 0.3))
    return model, Group(8, [Site("b", OUT, 8, every, every, lambda *_: None)])


def test_ssl_case():
    expected = cases()["ssl_group_lasso"]["expected"]
    model, group = one_layer()
    held = ssl.parts(model, group)
    lengths = ssl.norms(8, held)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5)
    close(lengths.detach(), expected["filter_norms"])
    close(lengths.sum().detach(), expected["filters"])
    lengths.sum().backward()
    close(model.b.weight.grad.flatten()[:4], expected["gradient_first4"])
    lengths = lengths.detach()
    kept = ssl.shrunk(lengths, float(np.median(lengths)))
    assert kept.nonzero().flatten().tolist() == expected["prox_survivors"]


def test_the_proximal_step_shortens_norms_by_one_step_and_stops_at_zero():
    model = tiny("basic").requires_grad_(True)
    before = copy.deepcopy(model)
    task = penalised(model, strength=0.5, lr=0.8)
    task.settle()  # nothing was trained yet
    assert all(map(torch.equal, before.parameters(), model.parameters()))
    task(*batch())
    task.settle()
    task.settle()  # once for each step
    for group in groups.find(model):
        was = ssl.norms(group.size, ssl.parts(before, group)).detach()
        now = ssl.norms(group.size, ssl.parts(model, group)).detach()
        torch.testing.assert_close(now, (was - 0.4).clamp(min=0), rtol=1e-5, atol=1e-6)
        assert not ((was < 0.4) & (now > 0)).any()


def test_a_channel_shrinks_in_all_that_makes_it_and_nowhere_else():
    model = tiny("basic").requires_grad_(True)
    found = groups.find(model)
    makers = {site.layer for group in found for site in group.sites if site.side == OUT}
    before = copy.deepcopy(model)
    task = penalised(model, strength=1e6)
    task(*batch())
    task.settle()
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d):
            assert not layer.weight.any()  # each filter makes a channel
        if isinstance(layer, nn.Linear):
            assert torch.equal(layer.weight, before.get_submodule(name).weight)
        if isinstance(layer, nn.BatchNorm2d):
            assert name in makers
            assert torch.equal(layer.bias, before.get_submodule(name).bias)


@pytest.mark.parametrize("penalty", ["group", "depgraph", "bn"])
def test_no_strength_is_plain_training_bit_for_bit(penalty):
    plain, shrunk = (tiny("basic").requires_grad_(True) for _ in range(2))
    rounds()(OnLabels(plain), epochs=1, lr=0.05)
    task = penalised(shrunk, penalty=penalty, strength=0.0)
    rounds()(task, epochs=1, lr=0.05)
    task.settle()
    assert all(map(torch.equal, plain.state_dict().values(), shrunk.state_dict().values()))


@pytest.mark.parametrize("family", ["basic", "dense"])  # dense: maps are joined
def test_slimming_adds_the_sign_of_each_scale_once(family):
    gradients = []
    for strength in (0.0, 0.25):
        model = tiny(family).requires_grad_(True)
        penalised(model, penalty="bn", strength=strength)(*batch())["loss"].backward()
        gradients.append({name: value.grad for name, value in model.named_parameters()})
    for name, gradient in gradients[1].items():
        scale = "bn" in name or "norm" in name
        added = 0.25 * model.get_parameter(name).sign() if scale else 0 * gradient
        if name.endswith("bias") or "downsample.1" in name:
            continue
        torch.testing.assert_close(gradient, gradients[0][name] + added)


def test_depgraph_pulls_the_smallest_channel_sixteen_times_as_hard():
    lengths = torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64)
    assert ssl.haste(lengths).tolist() == [16.0, 1.0, 4.0]
    assert ssl.haste(torch.ones(3)).tolist() == [1.0, 1.0, 1.0]
    model, group = one_layer()
    held = ssl.parts(model, group)
    with torch.no_grad():
        faster = ssl.haste(ssl.norms(8, held))
    (faster * ssl.squares(8, held)).sum().div(2).backward()
    expected = faster.view(8, 1, 1, 1) * model.b.weight
    torch.testing.assert_close(model.b.weight.grad, expected.detach())


def test_all_levels_are_cut_from_one_training_by_the_norms_it_left():
    calls = []

    def train(task, **recipe):
        calls.append(recipe)
        with torch.no_grad():  # the first two channels of a group are all but gone
            for tensor, *_ in ssl.parts(task.network, inner(task.network)):
                tensor[:2] = 1e-6

    model = tiny("basic")
    levels = list(METHODS["ssl"](model, [0.0, 0.3, 0.6], train=train))
    assert [call["weight_decay"] for call in calls] == [0.0]
    for pruned in levels[1:]:
        assert not pruned.kept["layer1.0.conv1", OUT][:2].any()
    assert levels[0].kept["layer1.0.conv1", OUT].all()


def inner(model: nn.Module) -> Group:
    """The channels between the two convolutions of the first block."""
    made = {"layer1.0.conv1"}
    return next(
        group
        for group in groups.find(model)
        if made == {site.layer for _, site in group.producers(model)}
    )


def test_a_level_out_of_reach_is_refused_before_any_training():
    def train(task, **recipe):
        raise AssertionError("trained")

    with pytest.raises(KdpruneError, match="can remove"):
        list(METHODS["ssl"](tiny("basic"), [0.0, 0.9999], train=train))
    assert counts.parameters(tiny("basic"))

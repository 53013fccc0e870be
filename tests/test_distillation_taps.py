"""Taps are what the network itself computes, in one pass that leaves no trace on it."""

import copy
from pathlib import Path

import pytest
import timm
import torch
import yaml
from conftest import some
from networks import TINY, images, tiny
from torch import nn

from kdprune import models
from kdprune.distillation.taps import pairs, probed, taps
from kdprune.errors import KdpruneError

CONF = Path(__file__).parents[1] / "conf"
ARCHITECTURES = yaml.safe_load((CONF / "architectures.yaml").read_text())["architectures"]
PAIRS = yaml.safe_load((CONF / "profile" / "paper.yaml").read_text())["pairs"]
PAPER = some(sorted({name for pair in PAIRS for name in pair.split("/")}))


def build(name: str) -> nn.Module:
    item = ARCHITECTURES[name]
    return models.build(item["timm"], classes=10, kwargs=item["kwargs"], seed=0)


def hooks(network: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    return sum(len(getattr(module, kind)) for module in network.modules() for kind in kinds)


def test_the_paper_has_fifteen():
    assert len(PAPER) == 15


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_networks_are_tapped_where_their_stages_end(name):
    network = build(name).eval()
    with torch.no_grad():
        seen = taps(network, images(2))
        features = network.forward_features(images(2))
        assert torch.equal(seen.last, features)
        assert torch.equal(seen.pooled, network.forward_head(features, pre_logits=True))
        assert torch.equal(seen.logits, network(images(2)))
    assert len(seen.stages) == 5  # so that every pair of the paper has its stages side by side
    sizes = [maps.shape[2] for maps in seen.stages]
    assert sizes == sorted(sizes, reverse=True)
    assert seen.stages[-1].shape[2] == 1
    if "efficientnet" not in name:  # their last stage ends linearly, before the last convolution
        assert torch.equal(seen.stages[-1], seen.last)
        assert (seen.last >= 0).all()


@pytest.mark.parametrize("family", TINY)
@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
def test_stage_maps_are_the_outputs_of_the_networks_own_modules(family, stem):
    network = tiny(family, stem=stem)
    kept = copy.deepcopy(network)
    ends = {
        "basic": ["maxpool", "layer1", "layer2", "layer3", "layer4"],
        "bottleneck": ["maxpool", "layer1", "layer2", "layer3", "layer4"],
        "dense": [
            f"features.{name}"
            for name in ("pool0", "transition1", "transition2", "transition3", "norm5")
        ],
        "separable": ["bn1", "blocks.1", "blocks.2", "blocks.3", "blocks.4"],
        "squeeze": ["bn1", "blocks.1", "blocks.2", "blocks.4", "blocks.6"],
    }[family]
    found = []
    for end in ends:
        kept.get_submodule(end).register_forward_hook(
            lambda module, given, made: found.append(made.clone())
        )
    with torch.no_grad():
        kept(images())
        seen = taps(network, images())
    assert all(torch.equal(one, two) for one, two in zip(seen.stages, found, strict=True))


@pytest.mark.parametrize("family", ["basic", "bottleneck", "separable"])
def test_stage_maps_lie_behind_the_activation(family):
    with torch.no_grad():
        assert all((maps >= 0).all() for maps in taps(tiny(family), images()).stages)


@pytest.mark.parametrize("family", TINY)
def test_training_mode_sees_the_batch_once(family):
    network, plain = tiny(family).train(), tiny(family).train()
    seen = taps(network, images())
    logits = plain(images())
    assert torch.equal(seen.logits, logits)
    for (name, one), two in zip(
        network.state_dict().items(), plain.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two), name  # batch norm was updated once


@pytest.mark.parametrize("family", TINY)
def test_nothing_is_left_on_the_network(family):
    network = tiny(family)
    keys, forward = list(network.state_dict()), type(network).forward
    probed(network)
    assert hooks(network) == 0
    assert list(network.state_dict()) == keys
    assert network.forward.__func__ is forward


@pytest.mark.parametrize("training", [True, False])
def test_probing_changes_nothing(training):
    network = tiny().train(training)
    before = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    assert not probed(network).logits.requires_grad
    assert network.training == training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["regnetx_002", "mobilenetv3_small_050", "convnext_atto"])
def test_other_networks_of_timm_are_tapped_through_its_own_list(name):
    network = timm.create_model(name, num_classes=10).eval()
    with torch.no_grad():
        seen = taps(network, images(2))
        assert torch.equal(seen.last, network.forward_features(images(2)))
        assert torch.equal(seen.logits, network(images(2)))
    assert len(seen.stages) == len(network.feature_info)


class Plain(nn.Module):
    """A network with timm's methods, and no stages."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.classifier = nn.Conv2d(3, 4, 3), nn.Linear(4, 10)

    def forward_features(self, given):
        return self.features(given)

    def forward_head(self, maps, pre_logits=False):
        return maps.mean((2, 3))

    def get_classifier(self):
        return self.classifier


def test_a_network_without_stages_is_refused_where_they_are_needed():
    assert taps(Plain(), images(), stages=False).logits.shape == (8, 10)
    with pytest.raises(KdpruneError, match="no stage maps"):
        taps(Plain(), images())


def test_stages_are_paired_without_stems_from_the_deepest_backwards():
    four, five = (
        timm.create_model(name, num_classes=10) for name in ("convnext_atto", "regnetx_002")
    )
    ours, theirs = probed(four), probed(five)
    both = pairs(ours, theirs)
    assert [one.shape for one, _ in both] == [maps.shape for maps in ours.stages[1:]]
    assert [two.shape for _, two in both] == [maps.shape for maps in theirs.stages[-3:]]

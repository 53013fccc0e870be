"""Slim families: the published factors of width and depth, and the order that they give."""

import itertools
from pathlib import Path

import pytest
import torch
import yaml

from kdprune import models
from kdprune.config.params import load
from kdprune.errors import KdpruneError


def parameters(name):
    described = load().architectures[name]
    built = models.build(described.timm, classes=10, kwargs=described.kwargs, seed=0)
    return sum(parameter.numel() for parameter in built.parameters())


@pytest.mark.parametrize(
    "smaller_first",
    [
        ["resnet10_16", "resnet14_16", "resnet10_24", "resnet14_24", "resnet18_24"],
        ["densenet29_12", "densenet35_12", "densenet29_18"],
        [f"efficientnet_slim_b{number}" for number in range(6)],
    ],
)
def test_the_desks_families_are_ordered_as_the_papers(smaller_first):
    sizes = [parameters(name) for name in smaller_first]
    assert all(small < large for small, large in itertools.pairwise(sizes)), sizes


def test_factors_of_one_are_the_published_networks():
    for slim, published in [
        ("slim_efficientnet", "efficientnet_b0"),
        ("slim_mobilenetv1", "mobilenetv1_100"),
    ]:
        ours, theirs = (models.build(name, classes=7, seed=0) for name in (slim, published))
        shapes = [tuple(value.shape) for value in ours.state_dict().values()]
        assert shapes == [tuple(value.shape) for value in theirs.state_dict().values()]


def test_width_and_depth_are_scaled():
    wide = models.build("slim_efficientnet", classes=2, kwargs={"channel_multiplier": 0.25}, seed=0)
    assert wide.conv_stem.out_channels == 8
    flat = models.build(
        "slim_mobilenetv1", classes=2, kwargs={"depth_multiplier": 0.5}, seed=0
    ).eval()
    assert [len(stage) for stage in flat.blocks] == [1, 1, 1, 3, 1]
    assert flat(torch.zeros(1, 3, 32, 32)).shape == (1, 2)


def test_no_weights_of_another_network_are_taken():
    with pytest.raises(KdpruneError, match="slim networks have no ImageNet weights"):
        models.build("slim_efficientnet", classes=2, pretrained=True)


def test_the_desk_mirrors_the_papers_pairs():
    """Three teachers serve two students each, as in the paper's ten pairs."""
    described = {
        name: yaml.safe_load(Path(f"conf/profile/{name}.yaml").read_text())["pairs"]
        for name in ("desk", "paper")
    }
    shape = {}
    for name, pairs in described.items():
        split = [pair.split("/") for pair in pairs]
        known = [list(dict.fromkeys(column)) for column in zip(*split, strict=True)]
        shape[name] = [(known[0].index(one), known[1].index(other)) for one, other in split]
    assert shape["desk"] == shape["paper"]

"""Channels that go together are found right in any network, or left alone, or refused in a line."""

import copy

import pytest
import torch
import torch_pruning
from networks import images, pruned_by, tiny
from timm.layers import Conv2dSame, ScaledStdConv2d, StdConv2d
from torch import nn
from torch.nn.utils import parametrizations

from kdprune import models
from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.pruning import METHODS, coupling, criteria, groups, structured, surgery

SHORT = {"layers": [1, 1, 1, 1]}


class Net(nn.Module):
    """Parts by name, put together by a function, before a pooled linear classifier."""

    def __init__(self, put_together, features: int, **parts: nn.Module):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.put_together = put_together
        self.fc = nn.Linear(features, 5)

    def get_classifier(self) -> nn.Module:
        return self.fc

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.fc(self.put_together(self, inputs).mean((2, 3)))


def conv(inputs: int, outputs: int, **kwargs) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, **kwargs)


def ghost(net: Net, inputs: torch.Tensor) -> torch.Tensor:
    one = net.primary(inputs)
    return torch.relu(net.shortcut(inputs) + torch.cat([one, net.cheap(one)], 1))


def split(net: Net, inputs: torch.Tensor) -> torch.Tensor:
    left, right = torch.split(torch.relu(net.first(inputs)), 4, 1)
    return torch.relu(net.last(torch.relu(net.inner(left)) + right))


def normalised(net: Net, inputs: torch.Tensor) -> torch.Tensor:
    maps = net.norm(net.first(inputs).permute(0, 2, 3, 1))
    return net.last(net.wide(maps).relu()).permute(0, 3, 1, 2).relu()


def check_cut_equals_mask(model: nn.Module, found: list[groups.Group], lost: int = 1) -> nn.Module:
    """Cut `lost` channels of every group; return the cut network."""
    ranked = [criteria.ranking(model, group) for group in found]
    kept = surgery.kept_after(found, ranked, [i for i in range(len(found)) for _ in range(lost)])
    masked, cut = copy.deepcopy(model), copy.deepcopy(model)
    surgery.mask(masked, kept)
    surgery.cut(cut, found, kept)
    with torch.no_grad():
        torch.testing.assert_close(cut(images()), masked(images()), rtol=1e-5, atol=1e-5)
        assert not torch.allclose(cut(images()), model(images()), rtol=1e-3)
    removed = structured.removed_weights(counts.prunable(model), kept)
    for name, layer in counts.prunable(cut).items():
        assert layer.weight.numel() == model.get_submodule(name).weight.numel() - removed[name]
    return cut


@pytest.mark.parametrize("first", ["shortcut", "primary"])
def test_channels_that_meet_in_one_index_are_one_channel(first):
    """As in GhostNet: each of the primary's channels is two of the shortcut's, whoever is first."""
    torch.manual_seed(0)
    parts = {"shortcut": conv(3, 8), "primary": conv(3, 4), "cheap": conv(4, 4, groups=4)}
    parts = {first: parts[first], **parts}
    (group,) = groups.find(model := Net(ghost, 8, **parts).eval())
    assert group.size == 4
    sites = {(site.layer, site.side): site for site in group.sites}
    for layer in ("shortcut", "fc"):
        site = sites[layer, "out" if layer == "shortcut" else "in"]
        place = dict(zip(site.indices.tolist(), site.channels.tolist(), strict=True))
        assert [place[index] for index in range(8)] == [place[index % 4] for index in range(8)]
    cut = check_cut_equals_mask(model, [group])
    assert (cut.primary.out_channels, cut.cheap.groups, cut.shortcut.out_channels) == (3, 3, 6)


def test_what_a_split_of_fixed_sizes_takes_apart_stays():
    torch.manual_seed(0)
    model = Net(split, 6, first=conv(3, 8), inner=conv(4, 4), last=conv(4, 6)).eval()
    found = groups.find(model)
    assert [site.layer for group in found for site in group.sites] == ["last", "fc"]
    check_cut_equals_mask(model, found)


def test_what_a_normalisation_over_channels_averages_stays():
    torch.manual_seed(0)
    model = Net(
        normalised, 6, first=conv(3, 8), norm=nn.LayerNorm(8), wide=nn.Linear(8, 16),
        last=nn.Linear(16, 6),
    ).eval()  # fmt: skip
    found = groups.find(model)
    assert sorted(group.size for group in found) == [6, 16]
    assert not {"first", "norm"} & {site.layer for group in found for site in group.sites}
    check_cut_equals_mask(model, found)


def test_a_network_without_a_channel_that_can_go_is_refused():
    model = Net(lambda net, maps: net.norm(net.first(maps)), 8, first=conv(3, 8),
                norm=nn.GroupNorm(2, 8)).eval()  # fmt: skip
    for mode in ("remove", "mask"):
        with pytest.raises(KdpruneError, match="no channels of Net that can be cut"):
            next(METHODS["channel"](model, [0.1], mode=mode))


@pytest.mark.parametrize(
    "kwargs", [{"cardinality": 2, "base_width": 64}, {"cardinality": 8, "base_width": 8}]
)
def test_groups_of_a_convolution_lose_the_same_places(kwargs):
    model = models.build("resnext50_32x4d", classes=4, kwargs=SHORT | kwargs, seed=0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):  # timm starts the last of a block at zero
            nn.init.uniform_(layer.weight, 0.5, 1.5)
    with torch.no_grad():
        model.train()(images(16))
    model.eval()
    cut = check_cut_equals_mask(model, groups.find(model))
    small, whole = cut.layer1[0].conv2, model.layer1[0].conv2
    assert small.groups == whole.groups
    assert whole.out_channels - small.out_channels == whole.groups  # one place of each
    assert small.in_channels == small.groups * small.weight.shape[1]
    pruned = next(METHODS["channel"](model, [0.5]))
    assert pruned.sparsity == pytest.approx(0.5, abs=0.02)


def test_a_network_for_larger_images_is_told_of_as_such():
    """Else Torch-Pruning, after a forward that failed, leaves layers that fail in other ways."""
    large = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AvgPool2d(40), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises(KdpruneError, match="does not take images of 3 x 32 x 32"):
        groups.find(large)


def test_tracing_that_does_not_end_is_given_up():
    with pytest.raises(KdpruneError, match="did not end within 0 s; use weight"):
        coupling.trace(tiny("basic"), 32, seconds=0)


def test_a_name_that_torch_pruning_no_longer_has_is_no_fault_of_the_network(monkeypatch):
    monkeypatch.delattr(torch_pruning, "DependencyGraph")
    with pytest.raises(AttributeError, match="DependencyGraph"):
        groups.find(tiny("basic"))


def parametrised() -> nn.Module:
    return parametrizations.weight_norm(conv(3, 8))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "make", [lambda: StdConv2d(3, 8, 3), lambda: ScaledStdConv2d(3, 8, 3), parametrised]
)
def test_layers_that_transform_their_weights_are_refused(method, make):
    model = Net(lambda net, maps: net.first(maps), 8, first=make()).eval()
    with pytest.raises(KdpruneError, match=r"first of Net .* transforms its weights"):
        next(pruned_by(method, model, [0.5]))


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("aofp", "gal")])
def test_layers_that_only_pad_are_not_refused(method):
    model = Net(lambda net, maps: net.first(maps).relu(), 8, first=Conv2dSame(3, 8, 3)).eval()
    assert next(pruned_by(method, model, [0.5])).sparsity == pytest.approx(0.5, abs=0.1)

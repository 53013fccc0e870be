"""Channels in blocks: what stays of every layer is a multiple, and the level is met or refused."""

from itertools import pairwise

import pytest
from networks import pruned_by, tiny
from test_pruning import same_state
from torch import nn

from kdprune import models
from kdprune.errors import KdpruneError
from kdprune.pruning import METHODS, groups, structured


def wide(channels: tuple[int, ...] = (24, 32, 48, 64)) -> nn.Module:
    kwargs = {"layers": [1, 1, 1, 1], "channels": channels}
    return models.build("resnet18", classes=10, kwargs=kwargs, seed=0).eval()


def producers(model: nn.Module) -> dict[str, int]:
    """The outputs of every layer that channel pruning may cut."""
    sides = [site for group in groups.find(model) for _, site in group.producers(model)]
    return {site.layer: model.get_submodule(site.layer).weight.shape[0] for site in sides}


@pytest.mark.parametrize("method", ["channel", "random_channel", "taylor"])
def test_rounded_channels_are_multiples_or_all(method):
    model = wide()
    before, plain = producers(model), next(pruned_by(method, model, [0.5]))
    levels = [0.0, 0.2, 0.5, 0.8]
    several = list(pruned_by(method, model, levels, round_to=8))
    assert same_state(several[0].model, model)
    for pruned in several[1:]:
        after = {name: pruned.model.get_submodule(name).weight.shape[0] for name in before}
        assert all(not n % 8 or n == before[name] for name, n in after.items())
        assert any(n < before[name] for name, n in after.items())
        assert all(n >= min(8, before[name]) for name, n in after.items())
        assert pruned.sparsity == pytest.approx(pruned.level, abs=structured.FARTHEST)
    # of itself no network is so
    assert any(plain.model.get_submodule(name).weight.shape[0] % 8 for name in before)
    for less, more in pairwise(several):
        assert all((less.kept[key] | ~keep).all() for key, keep in more.kept.items())  # nested


def test_rounding_to_one_is_no_rounding():
    levels = [0.0, 0.3, 0.9]
    plain, rounded = (
        METHODS["channel"](tiny("dense"), levels, **how) for how in ({}, {"round_to": 1})
    )
    for one, other in zip(plain, rounded, strict=True):
        assert same_state(one.model, other.model)


def test_rounded_masks_zero_what_rounded_removal_cuts():
    model = wide()
    (masked,) = METHODS["channel"](model, [0.5], mode="mask", round_to=8)
    for name, width in producers(model).items():
        rows = masked.model.get_submodule(name).weight.flatten(1).abs().sum(1)
        kept = int((rows > 0).sum())
        assert kept == width or not kept % 8


def test_the_order_of_rounded_removal_by_hand():
    # of 20: 16 stay, then 8; of 8 and 4 all do; of 24: 16, then 8
    order, stops = structured.removal_order([20, 8, 4, 24], 8)
    # middles of the shares: 2/20, 8/20 of the first; 4/24, 12/24 of the last
    assert order == [0] * 4 + [3] * 8 + [0] * 8 + [3] * 8
    assert stops == [0, 4, 12, 20, 28]


def test_levels_that_rounding_puts_out_of_reach_are_refused():
    with pytest.raises(KdpruneError, match=r"can remove [\d.]+% .*; drop .* or lower round_to = 8"):
        next(METHODS["channel"](wide(), [0.0, 0.97], round_to=8))
    told = r"level 0\.1 is out of reach with channels in multiples of 32 .* has lost [\d.]+%"
    with pytest.raises(KdpruneError, match=told) as caught:
        next(METHODS["channel"](wide((16, 16, 16, 64)), [0.0, 0.1], round_to=32))
    assert "\n" not in str(caught.value)

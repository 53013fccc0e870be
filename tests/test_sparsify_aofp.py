"""Channels inside blocks, and how aofp finds out which of them nobody misses."""

import copy

import pytest
import torch
from networks import images, tiny
from test_sparsify_channels import cases
from torch import nn
from torch.nn import functional

from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.pruning import METHODS, ablation, internal
from kdprune.pruning.ablation import Ablated


def batch(count: int = 8) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return images(count), torch.arange(count), torch.arange(count)


def ablated(model: nn.Module, **how) -> Ablated:
    settings = {"theta": 0.01, "half": 2} | how
    with torch.no_grad():  # a block's last scale begins with 0: nobody would miss what it reads
        for name, value in model.named_parameters():
            value.add_(name.endswith(("bn2.weight", "bn3.weight")))
    return Ablated(model, internal.find(model), internal.read_by_relu(model), **settings)


@pytest.mark.parametrize("theta", ["0.06", "0.03", "0.001"])
def test_aofp_case(theta):
    means = 0.1 * (1.9 * torch.arange(16, dtype=torch.float64) + 0.3).sin().abs()
    alive = torch.ones(16, dtype=torch.bool)
    for size in (16, 8, 2):
        expected = cases()["aofp_decisions"]["expected"][f"theta {theta}, |S| {size}"]
        space = torch.zeros_like(alive)
        space[means.argsort()[:size]] = True
        going, left = ablation.decided(space, alive, means, float(theta))
        assert going.nonzero().flatten().tolist() == expected["masked_now"]
        assert left.nonzero().flatten().tolist() == expected["search_space"]


def test_inner_channels_are_those_that_one_layer_reads():
    assert {one.reader for one in internal.find(tiny("bottleneck"))} == {
        f"layer{stage}.0.conv{number}" for stage in (1, 2, 3, 4) for number in (2, 3)
    }
    readers = {one.reader: one.norm for one in internal.find(tiny("dense"))}
    assert readers["features.denseblock1.denselayer2.conv2"] == ""  # concatenated first
    assert all(name.endswith("conv2") for name in readers)
    assert any("conv_pw" in one.reader for one in internal.find(tiny("separable")))


def test_a_relu_is_seen_where_it_is_right_behind():
    read = internal.read_by_relu(tiny("basic"))
    assert "layer1.0.bn1" in read
    assert "layer1.0.bn2" not in read  # an addition comes between


@pytest.mark.parametrize("family", ["basic", "bottleneck", "dense", "separable"])
def test_zeros_to_the_reader_are_what_cutting_makes(family):
    model = tiny(family)
    task = ablated(model).eval()
    for number, mask in enumerate(task.alive):
        task.remove(number, torch.arange(len(mask)) % 3 == number % 3)
    pruned = internal.pruned(model, task.network.state_dict(), task.inner, task.alive, level=0.1)
    with torch.no_grad():
        torch.testing.assert_close(
            pruned.model(images()), task.network(images()), rtol=1e-4, atol=1e-4
        )
    gone = 1 - sum(layer.weight.numel() for layer in counts.prunable(pruned.model).values()) / sum(
        layer.weight.numel() for layer in counts.prunable(model).values()
    )
    assert pruned.sparsity == pytest.approx(gone, abs=1e-12)
    assert task._gone == pytest.approx(gone, abs=1e-12)


def test_each_zeroed_channel_is_charged_with_what_the_reader_would_miss():
    """By hand, with batch statistics and the ReLU behind; the network itself trains as it is."""
    model = tiny("bottleneck")
    number = next(n for n, one in enumerate(internal.find(model)) if one.reader == "layer1.0.conv2")
    task, plain = ablated(model).train(), copy.deepcopy(model).train()
    task.steps = [0] * len(task.steps)
    torch.manual_seed(5)
    loss = task(*batch())["loss"]
    block, seen = plain.layer1[0], {}
    block.conv2.register_forward_pre_hook(lambda _, inputs: seen.update(maps=inputs[0]))
    assert torch.equal(loss, functional.cross_entropy(plain(batch()[0]), batch()[1]))
    half = task.tried[number].bool()
    assert int(half.sum()) == len(half) // 2

    def response(maps):
        norm = block.bn2
        made = functional.conv2d(maps, block.conv2.weight, padding=1)
        return functional.batch_norm(made, None, None, norm.weight, norm.bias, True).relu()

    whole = response(seen["maps"])
    less = response(seen["maps"] * (~half).view(1, -1, 1, 1))
    expected = ((whole - less) ** 2).sum() / (whole**2).sum()
    charged = task.sums[number]
    assert not charged[~half].any()
    torch.testing.assert_close(charged[half].float(), expected.detach().expand(int(half.sum())))
    for name, value in plain.named_buffers():  # the second path updated no statistics
        assert torch.equal(value, task.network.get_buffer(name)), name


def test_any_change_allowed_half_of_a_layer_goes_at_once_and_none_never():
    free, strict = (ablated(tiny("basic"), theta=theta, half=1) for theta in (float("inf"), 0.0))
    for task in (free, strict):
        task.train()
        for _ in range(2):
            task(*batch())
    assert [int(mask.sum()) for mask in free.alive] == [len(mask) // 2 for mask in free.alive]
    for _ in range(30):
        strict(*batch())
    assert all(mask.all() for mask in strict.alive)


def test_a_threshold_that_admits_nothing_is_doubled_after_vain_halves():
    task = ablated(tiny("basic"), theta=1e-9, half=1).train()
    number = next(n for n, one in enumerate(task.inner) if one.reader == "layer1.0.conv2")
    most = ablation.patience(len(task.alive[number]))
    assert [ablation.patience(width) for width in (2, 8, 64)] == [2, 6, 12]
    for _ in range(most):
        task(*batch())
    assert task.thetas[number] == 1e-9
    task(*batch())
    assert task.thetas[number] == 2e-9


def test_what_a_level_lacks_is_forced_and_told_of():
    pruned = list(METHODS["aofp"](tiny("basic"), [0.0, 0.2], train=lambda task, **how: None))
    assert pruned[1].sparsity >= 0.2
    assert "channels forced" in pruned[1].note


def test_levels_out_of_reach_are_refused_before_any_training():
    def train(task, **recipe):
        raise AssertionError("trained")

    with pytest.raises(KdpruneError, match="inside blocks"):
        list(METHODS["aofp"](tiny("basic"), [0.0, 0.99], train=train))


def test_a_layer_of_one_channel_is_finished():
    task = ablated(tiny("basic"), half=1, theta=0.01)
    going = torch.ones_like(task.alive[0])
    going[3] = False
    task.remove(0, going)
    for _ in range(12):
        task(images(4), torch.arange(4), torch.arange(4))
    assert task.thetas[0] == 0.01
    assert task.alive[0].sum() == 1
    assert 0 not in task._charged

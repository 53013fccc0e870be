"""Grids, ramps and the two paths of pqk, by their formulas."""

import numpy as np
import pytest
import torch
from networks import images, tiny
from test_sparsify_channels import cases
from torch.nn import functional

from kdprune.models import counts
from kdprune.pruning import METHODS
from kdprune.pruning.quantised import (
    Light,
    Ramped,
    SelfTaught,
    cubic,
    distilled,
    fake_quantised,
    first_step,
    plain,
    same,
)
from kdprune.pruning.trained import Idle

BATCH = images(4), torch.arange(4), torch.arange(4)


@pytest.mark.parametrize("bits", [8, 4])
def test_lsq_case(bits):
    expected = cases()["lsq_fake_quantisation"]["expected"][str(bits)]
    count = torch.arange(30, dtype=torch.float64)
    weight = (0.5 * torch.sin(1.3 * count + 0.4)).requires_grad_(True)
    step = first_step(weight, bits).requires_grad_(True)
    made = fake_quantised(weight, step, bits)
    (made * torch.cos(0.7 * count)).sum().backward()
    assert step.item() == pytest.approx(expected["initial_step"], rel=1e-4)
    np.testing.assert_allclose(made[:6].detach(), expected["quantised_first6"], rtol=1e-4)
    assert step.grad.item() == pytest.approx(expected["step_gradient"], rel=1e-4)
    assert weight.grad.sum().item() == pytest.approx(expected["weight_gradient_sum"], rel=1e-4)


def test_cubic_case():
    expected = cases()["cubic_schedule"]["expected"]
    np.testing.assert_allclose([cubic(0, 0.9, n / 10) for n in range(11)], expected, rtol=1e-9)
    assert cubic(0.5, 0.7, 0) == 0.5
    assert cubic(0.5, 0.7, 3) == 0.7


def test_grids_are_symmetric_and_beyond_them_gradients_end():
    values = torch.tensor([-9.0, -0.4, 0.0, 0.4, 9.0], requires_grad=True)
    made = fake_quantised(values, torch.tensor(1.0), 3)
    assert made.tolist() == [-4.0, 0.0, 0.0, 0.0, 3.0]
    made.sum().backward()
    assert values.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_masked_weights_learn_while_masks_rise_and_not_after():
    network = Light(tiny("basic"), 8).train()
    network.mask_to(0.5)
    gone, name = ~network.mask0, network.layers[0]
    for ramp in (True, False):
        network.ramp = ramp
        assert not network.weights()[f"{name}.weight"][gone].any()
        network.zero_grad()
        functional.cross_entropy(network(BATCH[0]), BATCH[1]).backward()
        gradient = network.inner.get_submodule(name).weight.grad
        assert gradient[gone].any() == ramp
        assert gradient[~gone].any()


def test_masks_take_the_smallest_of_each_layer_and_reach_the_end():
    network = Light(tiny("basic"), 8).train()
    task = Ramped(network, start=0.0, end=0.6, steps=3)
    shares = []
    for _ in range(3):
        task(*BATCH)["loss"].backward()
        masks = [getattr(network, f"mask{number}") for number in range(len(network.layers))]
        shares.append([float((~mask).float().mean()) for mask in masks])
    for row, share in zip(shares, (1 / 3, 2 / 3, 1), strict=True):
        sizes = [mask.numel() for mask in masks]
        expected = [round(cubic(0, 0.6, share) * size) / size for size in sizes]
        np.testing.assert_allclose(row, expected, rtol=1e-6)
    weight = network.inner.conv1.weight.abs()
    assert weight[network.mask0].min() > weight[~network.mask0].max()


def test_the_two_paths_have_statistics_of_their_own_and_one_teaches_the_other():
    model = tiny("basic")
    network = Light(model, 8).train()
    network.mask_to(0.8)
    network.ramp = False
    network(BATCH[0])  # sets the steps of the inputs
    loss = SelfTaught(network, temperature=4.0)(*BATCH)["loss"]
    held = [name for name, _ in network.inner.named_buffers()]
    kept = getattr(network, f"whole{held.index('bn1.running_mean')}")
    assert not torch.equal(kept, network.inner.bn1.running_mean)
    assert int(network.inner.bn1.num_batches_tracked) == 3  # tiny, once alone, and in the task
    with torch.no_grad():
        taught, teaching = network(BATCH[0]), network.whole(BATCH[0])
        parts = [functional.cross_entropy(one, BATCH[1]) for one in (taught, teaching)]
        one, two = ((4 * logits / 16).softmax(1) for logits in (taught, teaching))
        divergence = 16 * (two * (two / one).log()).sum(1).mean()
    assert loss.item() == pytest.approx(float(sum(parts) + divergence), rel=1e-5)


def test_distilling_gives_no_gradient_where_both_agree():
    logits = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    loss = distilled(logits, logits.detach(), 4.0)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-12, rtol=0)


def test_what_is_kept_is_what_the_light_network_multiplies():
    model = tiny("basic")
    network = Light(model, 8).eval()
    network.mask_to(0.5)
    network.ramp = False
    other = same(network, model).eval()
    with torch.no_grad():
        network.inner.conv1.weight.zero_()  # a copy does not follow
        kept = plain(other, model).eval()
        torch.testing.assert_close(kept(BATCH[0]), other(BATCH[0]))
        assert kept.conv1.weight.any()
    values = kept.layer1[0].conv1.weight.detach()
    places = values / other.steps[other.layers.index("layer1.0.conv1")]
    torch.testing.assert_close(places, places.round(), atol=1e-3, rtol=0)
    assert not kept._forward_pre_hooks
    assert not kept.conv1._forward_pre_hooks


def test_levels_are_exact_in_each_layer_and_values_few():
    model = tiny("basic")
    pruned = list(METHODS["pqk"](model, [0.0, 0.5], train=Idle(), bits=3))[1]
    for name, layer in counts.prunable(pruned.model).items():
        mask = pruned.masks[f"{name}.weight"]
        assert int((~mask).sum()) == round(0.5 * mask.numel())
        assert len(layer.weight.unique()) <= 8
        assert not layer.weight[~mask].any()

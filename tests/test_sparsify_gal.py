"""Soft masks that FISTA draws to zero, and the network that imitates itself under them."""

import copy

import pytest
import torch
from networks import images, tiny
from torch import nn

from kdprune.pruning import METHODS, internal
from kdprune.pruning.gal import Masked, after
from kdprune.pruning.trained import Idle

BATCH = images(4), torch.arange(4), torch.arange(4)


def masked(model: nn.Module, **how) -> Masked:
    settings = {"mu": 1.0, "strength": 0.6, "rate": 0.01, "every": 1} | how
    with torch.no_grad():  # a block's last scale begins with 0: no mask would have a gradient
        for name, value in model.named_parameters():
            value.add_(name.endswith(("bn2.weight", "bn3.weight")))
    return Masked(model, internal.find(model), **settings)


def test_fista_is_that_of_beck_and_teboulle():
    momentum, shares = 1.0, []
    for _ in range(3):
        momentum, share = after(momentum)
        shares.append(share)
    second = (1 + 5**0.5) / 2
    third = (1 + (1 + 4 * second**2) ** 0.5) / 2
    assert shares[:2] == [0.0, (second - 1) / third]
    assert shares[2] > shares[1]


def test_without_masks_gone_the_loss_is_that_of_the_statistics_alone():
    task = masked(tiny("basic")).eval()
    assert task(*BATCH)["loss"].item() == 0  # the network is its own copy


def test_a_step_of_the_masks_is_by_their_gradient_and_the_penalty():
    """The gradient by finite differences; the penalty acts once."""
    task = masked(tiny("bottleneck"), rate=1e-3, strength=0.5).eval().double()
    task._dense[0].double()
    task.ahead = [mask.double() - 0.1 for mask in task.masks]
    task.masks = [mask.clone() for mask in task.ahead]
    task.slopes = [mask.double() for mask in task.slopes]
    batch = (BATCH[0].double(), *BATCH[1:])
    task(*batch)["loss"].backward()
    slope = task.slopes[1].clone()
    started, loss = task.ahead[1].clone(), []
    for change in (1e-5, -1e-5):
        task.ahead[1] = started.clone()
        task.ahead[1][0] += change
        task.steps = 0  # no step of the masks
        loss.append(task(*batch)["loss"].item())
    task.ahead[1] = started
    assert slope[0].item() == pytest.approx((loss[0] - loss[1]) / 2e-5, rel=1e-3, abs=1e-9)
    task.slopes = [torch.zeros_like(one) for one in task.slopes]
    task.slopes[1] = slope.clone()
    task._step()
    expected = started - 1e-3 * slope - 1e-3 * 0.5
    torch.testing.assert_close(task.masks[1], expected)
    assert not task.slopes[1].any()


def test_no_penalty_removes_nothing_and_a_large_one_all_but_the_last():
    free, hard = masked(tiny("basic"), strength=0.0), masked(tiny("basic"), strength=1e4)
    for task in (free, hard):
        task.train()
        task.patience = 1000
        for _ in range(4):
            task(*BATCH)["loss"].backward()
    assert all(mask.all() for mask in free.alive)
    assert [int(mask.sum()) for mask in hard.alive] == [1] * len(hard.alive)


def test_masks_stop_where_the_target_is_reached_and_the_penalty_grows_until_then():
    task = masked(tiny("basic"), strength=0.1).train()
    task.patience, task.target = 2, 0.5
    for _ in range(6):
        task(*BATCH)["loss"].backward()
    assert task.strength == pytest.approx(0.1 * 1.5**2)
    task.target = 0.0
    held = [mask.clone() for mask in task.masks]
    for _ in range(3):
        task(*BATCH)["loss"].backward()
    assert all(map(torch.equal, held, task.masks))


@pytest.mark.parametrize("family", ["basic", "bottleneck", "dense", "separable"])
def test_what_is_folded_and_cut_computes_the_same(family):
    model = tiny(family)
    task = masked(model).eval()
    for number, mask in enumerate(task.masks):
        task.masks[number] = torch.linspace(0.2, 1.5, len(mask))
        task.ahead[number] = task.masks[number]
        task.remove(number, torch.arange(len(mask)) % 4 == 1)
    before = copy.deepcopy(task.network.state_dict())
    pruned = internal.pruned(model, task.folded(), task.inner, task.alive, level=0.1)
    with torch.no_grad():
        expected = task.network(images())
        torch.testing.assert_close(pruned.model(images()), expected, rtol=1e-4, atol=1e-4)
    assert all(map(torch.equal, before.values(), task.network.state_dict().values()))


def test_what_a_level_lacks_is_forced_and_told_of():
    pruned = list(METHODS["gal"](tiny("basic"), [0.0, 0.2], train=Idle()))
    assert pruned[1].sparsity >= 0.2
    assert "channels forced" in pruned[1].note


def test_a_level_steps_by_its_own_gradients_and_has_its_own_patience():
    """What passes between a level that is reached and the next one is none of the next one's."""
    task = masked(tiny("bottleneck"), every=2, strength=0.0)
    task.patience = 4
    task.begin(0.0)
    assert task.reached()
    for _ in range(7):
        task(*BATCH)["loss"].backward()
    assert task.steps == 0
    assert not any(slopes.any() for slopes in task.slopes)
    task.begin(0.5)
    started = [mask.clone() for mask in task.ahead]
    for _ in range(2):
        task(*BATCH)["loss"].backward()
    sums = [slopes.clone() for slopes in task.slopes]
    task(*BATCH)["loss"].backward()
    for mask, begun, total in zip(task.masks, started, sums, strict=True):
        torch.testing.assert_close(mask, begun - task.rate * total / 2)
    task.strength = 1.0
    task.begin(0.6)
    for _ in range(4):
        task(*BATCH)["loss"].backward()
    assert task.strength == 1.0  # it grows at the fifth, not for steps of the level before
    task(*BATCH)["loss"].backward()
    assert task.strength == 1.5

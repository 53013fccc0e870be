"""Each loss is the formula of its paper, worked out anew in plain numpy, in double precision."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from kdprune.distillation import semckd
from kdprune.distillation.at import at_loss
from kdprune.distillation.crd import contrast, crd_loss
from kdprune.distillation.fitnet import fitnet_loss, regressor
from kdprune.distillation.fn import fn_loss, normalised
from kdprune.distillation.sp import sp_loss
from kdprune.distillation.srrl import srrl_loss
from kdprune.distillation.taps import aligned
from kdprune.distillation.vid import vid_loss
from kdprune.distillation.weighted import full_precision, kd_loss


def doubles(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum()


def averaged(maps: np.ndarray, factor: int) -> np.ndarray:
    batch, channels, height, width = maps.shape
    split = maps.reshape(batch, channels, height // factor, factor, width // factor, factor)
    return split.mean((3, 5))


def agree(loss: torch.Tensor, expected: float) -> None:
    assert loss.item() == pytest.approx(expected, rel=1e-7, abs=1e-12)


def test_kd_is_the_batch_mean_of_the_divergence_times_temperature_squared():
    student, teacher, temperature = doubles(5, 7), doubles(5, 7, seed=1) * 3, 4.0
    total = 0.0
    for ours, theirs in zip(student.numpy(), teacher.numpy(), strict=True):
        p, q = softmax(theirs / temperature), softmax(ours / temperature)
        total += sum(pi * math.log(pi / qi) for pi, qi in zip(p, q, strict=True))
    loss = kd_loss(student, teacher, temperature=temperature)
    agree(loss, temperature**2 * total / 5)
    agree(kd_loss(teacher, teacher, temperature=temperature), 0)
    swapped = kd_loss(teacher, student, temperature=temperature)
    assert swapped.item() != pytest.approx(loss.item(), rel=1e-3)
    twice = kd_loss(student.repeat(2, 1), teacher.repeat(2, 1), temperature=temperature)
    agree(twice, loss.item())


def test_kd_keeps_the_size_of_its_gradients_as_the_temperature_rises():
    student, teacher = doubles(4, 10).requires_grad_(), doubles(4, 10, seed=1)
    limit = student.detach() - teacher
    limit = (limit - limit.mean(1, keepdim=True)) / (10 * 4)  # Hinton et al., eq. 4
    (gradient,) = torch.autograd.grad(kd_loss(student, teacher, temperature=1e4), student)
    torch.testing.assert_close(gradient, limit, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("size", [2, 4])
def test_fitnet_is_the_mean_over_all_elements(size):
    ours, theirs = doubles(3, 5, 2, 2), doubles(3, 5, size, size, seed=1)
    goal = averaged(theirs.numpy(), size // 2)
    agree(fitnet_loss(ours, theirs), ((ours.numpy() - goal) ** 2).sum() / (3 * 5 * 2 * 2))
    agree(fitnet_loss(theirs, theirs), 0)


@pytest.mark.parametrize(
    ("ours", "theirs", "kernel", "result"),
    [(4, 4, 1, 4), (8, 4, 3, 4), (4, 8, 4, 8), (8, 2, 7, 2), (7, 5, 3, 5), (2, 8, 3, 2)],
)
def test_fitnets_regressor_fits_sizes(ours, theirs, kernel, result):
    student, teacher = doubles(2, 3, ours, ours).float(), doubles(2, 6, theirs, theirs).float()
    layers = regressor(student, teacher.abs())
    assert layers[0].kernel_size == (kernel, kernel)
    assert layers[0].bias is not None
    assert layers(student).shape == (2, 6, result, result)
    assert (layers(student) >= 0).all()
    assert (regressor(student, teacher)(student) < 0).any()  # what ReLU could never reach


def test_at_is_the_mean_over_positions():
    student, teacher = doubles(3, 4, 8, 8), doubles(3, 9, 4, 4, seed=1)
    total = 0.0
    for ours, theirs in zip(averaged(student.numpy(), 2), teacher.numpy(), strict=True):
        a, b = (ours**2).mean(0).ravel(), (theirs**2).mean(0).ravel()
        total += ((a / np.sqrt((a**2).sum()) - b / np.sqrt((b**2).sum())) ** 2).sum()
    agree(at_loss(student, teacher), total / (3 * 4 * 4))
    agree(at_loss(teacher * 3, teacher), 0)


def test_at_is_nothing_on_single_pixels():
    assert at_loss(doubles(3, 4, 1, 1), doubles(3, 9, 1, 1, seed=1)) < 1e-30


def test_sp_normalises_rows_and_divides_by_the_batch_squared():
    student, teacher = doubles(5, 3, 2, 2), doubles(5, 4, 4, 4, seed=1)
    rows = []
    for maps in (student.numpy(), teacher.numpy()):
        gram = np.array([[(a * b).sum() for b in maps] for a in maps])
        rows.append(np.array([row / np.sqrt((row**2).sum()) for row in gram]))
    agree(sp_loss(student, teacher), ((rows[0] - rows[1]) ** 2).sum() / 25)
    agree(sp_loss(teacher * 7, teacher), 0)
    grams = [item / np.linalg.norm(item) for item in rows]
    frobenius = ((grams[0] - grams[1]) ** 2).sum() / 25
    assert sp_loss(student, teacher).item() != pytest.approx(frobenius, rel=1e-2)


def test_vid_is_a_likelihood_whose_best_variance_is_the_squared_error():
    predicted, teacher = doubles(3, 2, 4, 4), doubles(3, 2, 4, 4, seed=1)
    variance = torch.tensor([0.3, 2.0]).double()
    total = 0.0
    for channel in range(2):
        error = (predicted - teacher)[:, channel].numpy() ** 2
        total += (error / variance[channel].item() + math.log(variance[channel].item())).sum() / 2
    agree(vid_loss(predicted, teacher, variance), total / (3 * 2 * 4 * 4))
    best = (predicted - teacher).square().mean((0, 2, 3)).requires_grad_()
    (gradient,) = torch.autograd.grad(vid_loss(predicted, teacher, best), best)
    assert gradient.abs().max() < 1e-12
    assert vid_loss(teacher, teacher, variance * 1e-3) < 0  # no bug: a density may exceed one


def test_crd_contrasts_the_positive_with_the_negatives():
    views = functional.normalize(doubles(3, 6), dim=1)
    memory = functional.normalize(doubles(10, 6, seed=1), dim=1)
    rows = torch.tensor([[0, 4, 4, 9], [1, 2, 3, 5], [7, 0, 8, 6]])
    ratios = contrast(views, memory, rows, temperature=0.07)
    noise, constant, total = 3 / 10, ratios.mean() * 10, 0.0
    for view, chosen in zip(views.numpy(), rows, strict=True):
        outputs = [math.exp((memory[row].numpy() * view).sum() / 0.07) for row in chosen]
        outputs = [output / constant.item() for output in outputs]
        total += math.log(outputs[0] / (outputs[0] + noise + 1e-7))
        total += sum(math.log(noise / (output + noise + 1e-7)) for output in outputs[1:])
    agree(crd_loss(ratios / constant, noise=noise), -total / 3)


def test_crd_falls_as_the_positive_rises_and_negatives_fall():
    ratios = doubles(3, 5).exp().requires_grad_()
    (gradient,) = torch.autograd.grad(crd_loss(ratios, noise=0.4), ratios)
    assert (gradient[:, 0] < 0).all()
    assert (gradient[:, 1:] > 0).all()


def test_srrl_adds_features_and_logits():
    connected, pooled = doubles(3, 6), doubles(3, 6, seed=1)
    regressed, logits = doubles(3, 4, seed=2), doubles(3, 4, seed=3)
    expected = ((connected - pooled).numpy() ** 2).sum() / 18
    expected += ((regressed - logits).numpy() ** 2).sum() / 12
    agree(srrl_loss(connected, pooled, regressed, logits), expected)
    agree(srrl_loss(pooled, pooled, logits, logits), 0)


def test_fn_shortens_long_features_only():
    features = doubles(4, 5) * torch.tensor([[0.01], [1.0], [10.0], [0.0]])
    result = normalised(features, cap=2).numpy()
    for given, got in zip(features.numpy(), result, strict=True):
        norm = np.sqrt((given**2).sum())
        expected = given / norm * min(norm, 2) if norm else given
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_fn_is_a_cross_entropy_with_the_teachers_softmax():
    student, teacher = doubles(5, 7), doubles(5, 7, seed=1)
    total = 0.0
    for ours, theirs in zip(student.numpy(), teacher.numpy(), strict=True):
        total -= (softmax(theirs) * np.log(softmax(ours))).sum()
    agree(fn_loss(student, teacher), total / 5)
    moved = student.clone().requires_grad_()
    (at_goal,) = torch.autograd.grad(fn_loss(teacher.requires_grad_(), teacher.detach()), teacher)
    (elsewhere,) = torch.autograd.grad(fn_loss(moved, teacher.detach()), moved)
    assert at_goal.abs().max() < 1e-12 < elsewhere.abs().max()


def test_semckd_weighs_differences_by_attention():
    queries, keys = doubles(4, 2, 3), doubles(4, 5, 3, seed=1)
    differences, total = doubles(4, 2, 5, seed=2).square(), 0.0
    for image in range(4):
        for i in range(2):
            scores = []
            for j in range(5):
                q, k = queries[image, i].numpy(), keys[image, j].numpy()
                scores.append((q * k).sum() / np.sqrt((q**2).sum() * (k**2).sum()))
            weights = softmax(np.array(scores))
            total += (weights * differences[image, i].numpy()).sum()
    weights = semckd.attention(queries, keys)
    agree(semckd.semckd_loss(differences, weights), total / (4 * 2))
    torch.testing.assert_close(weights.sum(2), torch.ones(4, 2).double())


def test_semckd_compares_images_by_plain_products():
    maps = doubles(4, 3, 2, 2)
    expected = [[(a * b).sum() for b in maps.numpy()] for a in maps.numpy()]
    np.testing.assert_allclose(semckd.gram(maps).numpy(), np.array(expected), rtol=1e-12)
    teacher = doubles(4, 3, 2, 2, seed=1)
    errors = [((a - b) ** 2).mean() for a, b in zip(maps.numpy(), teacher.numpy(), strict=True)]
    np.testing.assert_allclose(semckd.difference(maps, teacher).numpy(), errors, rtol=1e-12)


def test_the_smaller_map_decides_the_size():
    large, small = doubles(2, 3, 8, 8), doubles(2, 5, 4, 4)
    for one, two in (aligned(large, small), aligned(small, large)[::-1]):
        np.testing.assert_allclose(one.numpy(), averaged(large.numpy(), 2), rtol=1e-12)
        assert torch.equal(two, small)


def test_losses_are_computed_in_full_precision_under_autocast():
    maps = [doubles(8, 16, 4, 4, seed=seed).bfloat16() for seed in (0, 1)]
    expected = sp_loss(*(item.double() for item in maps)).item()
    with torch.autocast("cpu", torch.bfloat16):
        loss = sp_loss(*maps)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert full_precision(torch.add)(doubles(2), doubles(2)).dtype == torch.float64

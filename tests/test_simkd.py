"""SimKD: the deployed network is encoder, projector and the teacher's classifier, and no more."""

import copy

import pytest
import torch
from networks import TINY, images, tiny
from torch import nn

from kdprune import models
from kdprune.distillation import METHODS as DISTILLERS
from kdprune.distillation.simkd import SimKD, simkd_loss
from kdprune.distillation.taps import taps
from kdprune.models import counts
from kdprune.models.composite import Projector, ReusedClassifier
from kdprune.pruning import METHODS


def task(student="basic", teacher="dense"):
    return SimKD(tiny(student, seed=1), tiny(teacher, seed=2), factor=2)


def test_loss_is_the_mean_squared_difference_after_pooling():
    student, teacher = torch.randn(2, 5, 2, 2).double(), torch.randn(2, 5, 4, 4).double()
    pooled = teacher.view(2, 5, 2, 2, 2, 2).mean((3, 5))
    expected = ((student - pooled) ** 2).sum() / student.numel()
    assert simkd_loss(student, teacher).item() == pytest.approx(expected.item(), rel=1e-12)
    assert simkd_loss(teacher, teacher) == 0


def test_projector_has_the_size_of_the_formula():
    inputs, outputs, factor = 24, 40, 4
    middle = outputs // factor
    expected = inputs * middle + 9 * middle**2 + middle * outputs + 2 * (2 * middle + outputs)
    assert counts.parameters(Projector(inputs, outputs, factor, "relu")) == expected


def test_gradients_reach_encoder_and_projector_only():
    method = task()
    teacher = method._teacher[0]
    before = copy.deepcopy(teacher.state_dict())
    method.train()
    method(images(4), torch.zeros(4, dtype=torch.long), torch.arange(4))["loss"].backward()
    network = method.network
    assert all(p.grad is not None for p in network.encoder.parameters())
    assert all(p.grad is not None for p in network.projector.parameters())
    assert network.classifier.weight.grad is None
    assert not network.classifier.weight.requires_grad
    assert all(p.grad is None for p in teacher.parameters())
    assert all(
        torch.equal(a, b)
        for a, b in zip(before.values(), teacher.state_dict().values(), strict=True)
    )
    assert not any("_teacher" in name for name in method.state_dict())


def test_logits_are_the_teachers_where_features_are():
    teacher = tiny("dense")
    network = ReusedClassifier(copy.deepcopy(teacher), nn.Identity(), teacher.get_classifier())
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(images()), teacher(images()))


@pytest.mark.parametrize(("teacher", "last"), [("dense", "relu"), ("squeeze", "identity")])
def test_the_projector_can_represent_the_teachers_features(teacher, last):
    method = task(teacher=teacher)
    assert method.projector["last"] == last
    with torch.no_grad():
        goal = method._teacher[0].forward_features(images())
        projected = method.network.eval().forward_features(images())
    assert bool((goal < 0).any()) == (last == "identity") == bool((projected < 0).any())


@pytest.mark.parametrize("student", TINY)
def test_the_students_own_classifier_is_gone(student):
    network = task(student).network
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    assert linear == [network.get_classifier()]
    with torch.no_grad():
        pooled = network.eval().forward_head(network.forward_features(images()), pre_logits=True)
        assert torch.equal(network.classifier(pooled), network(images()))


def test_the_composite_is_saved_and_deployed_alone(tmp_path):
    method = task("basic", "squeeze")
    name, kwargs = TINY["basic"]
    described = {"timm_name": name, "classes": 10, "stem": "imagenet", "kwargs": kwargs}
    models.save(
        tmp_path / "s", method.network, {"network": described, "projector": method.projector}
    )
    loaded, _ = models.load(tmp_path / "s")
    with torch.no_grad():
        assert torch.equal(loaded(images()), method.network.eval()(images()))


def test_a_larger_map_is_averaged_before_the_projector(tmp_path):
    """As the authors do; the loss, the logits and what is saved follow."""
    name, kwargs = TINY["basic"]
    wide = {**kwargs, "output_stride": 8}
    described = {"timm_name": name, "classes": 10, "stem": "imagenet", "kwargs": wide}
    student, teacher = models.build(**described, seed=1), tiny("basic", seed=2)
    with torch.no_grad():
        ours, goal = (n.eval().forward_features(images()) for n in (student, teacher))
    assert ours.shape[2] == 4 * goal.shape[2]
    method = SimKD(student, teacher, factor=2)
    assert method.projector["size"] == goal.shape[2]
    network = method.network.eval()
    blocks = ours.unflatten(3, (goal.shape[3], 4)).unflatten(2, (goal.shape[2], 4)).mean((3, 5))
    with torch.no_grad():
        expected = network.projector(blocks)
        torch.testing.assert_close(network.forward_features(images()), expected)
        pooled = expected.mean((2, 3))
        torch.testing.assert_close(network(images()), network.classifier(pooled))
    models.save(tmp_path / "s", network, {"network": described, "projector": method.projector})
    loaded, _ = models.load(tmp_path / "s")
    with torch.no_grad():
        assert torch.equal(loaded(images()), network(images()))


def test_a_map_that_is_not_larger_is_projected_as_it_is():
    assert "size" not in task().projector
    assert task().network.size is None


@pytest.mark.parametrize("student", ["basic", "dense", "separable"])
def test_a_network_that_channels_were_cut_from_is_trained_saved_and_read_back(student, tmp_path):
    """The projector takes the channels that are there, not those that were."""
    name, kwargs = TINY[student]
    cut = next(METHODS["channel"](tiny(student, seed=1), [0.5])).model
    width = cut.get_classifier().in_features
    assert width < cut.num_features
    method = SimKD(cut, tiny("basic", seed=2), factor=2)
    assert method.network.projector[0].in_channels == width
    method.train()
    method(images(4), torch.zeros(4, dtype=torch.long), torch.arange(4))["loss"].backward()
    assert all(item.grad is not None for item in method.network.encoder.parameters())
    network = {"timm_name": name, "classes": 10, "stem": "imagenet", "kwargs": kwargs}
    models.save(tmp_path / "s", method.network, {"network": network, "projector": method.projector})
    loaded, _ = models.load(tmp_path / "s")
    with torch.no_grad():
        assert torch.equal(loaded(images()), method.network.eval()(images()))


def test_a_composites_stage_maps_are_its_encoders():
    network = task("dense", "basic").network.eval()
    with torch.no_grad():
        seen, inner = taps(network, images()), network.encoder.forward_features(images())
        assert torch.equal(seen.stages[-1], inner)
        assert torch.equal(seen.last, network.project(inner))
        assert torch.equal(seen.last, network.forward_features(images()))
        assert torch.equal(seen.logits, network(images()))
    assert [maps.shape[1] for maps in seen.stages] == [8, 8, 8, 8, 16]  # not the projector's


@pytest.mark.parametrize("method", ["at", "fitnet", "vid", "semckd"])
@pytest.mark.parametrize("pruning", ["weight", "channel"])
def test_a_pruned_composite_learns_by_stage_maps(method, pruning):
    network = SimKD(tiny("basic", seed=1, stem="cifar"), tiny("dense", seed=2), factor=2).network
    pruned = next(METHODS[pruning](network.eval(), [0.4])).model.requires_grad_(True)
    settings = {"batch_size": 4} if method == "semckd" else {}
    learner = DISTILLERS[method](pruned, tiny("dense", seed=3, stem="cifar"), **settings)
    parts = learner.train()(images(4), torch.arange(4) % 3, torch.arange(4))
    assert parts["feature"].isfinite()
    parts["loss"].backward()
    assert all(item.grad is not None for item in pruned.encoder.parameters())

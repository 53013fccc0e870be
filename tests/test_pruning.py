"""Pruning removes exactly what it says, from the dense network each time, and keeps it removed."""

import copy
import math

import numpy as np
import pytest
import torch
from conftest import some
from networks import TINY, dataset, images, pruned_by, tiny
from torch import nn

from kdprune.data.augment import normalise, random_crop_flip
from kdprune.distillation.none import Supervised
from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.models.composite import Projector, ReusedClassifier
from kdprune.pruning import METHODS, criteria, groups, structured, surgery
from kdprune.pruning.application import trains
from kdprune.pruning.pruned import apply
from kdprune.sweeps import features as inputs
from kdprune.sweeps.batchnorm import re_estimate
from kdprune.sweeps.features import features
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.heads import train_heads
from kdprune.sweeps.sweep import sweep
from kdprune.training.loop import fit
from kdprune.training.recipe import Recipe

LEVELS = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9]
FAMILIES = [*TINY, *(f"{family}+projector" for family in TINY)]
REUSED = some(name for name in FAMILIES if "+" in name)  # end in the teacher's classifier
FINETUNE = {
    "scope": "head",
    "views": 2,
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.01,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
}


def network(family: str) -> nn.Module:
    """A tiny network, or the composite that SimKD makes of it."""
    model = tiny(family.split("+")[0])
    if "+" not in family:
        return model
    teacher = tiny("dense", seed=1)
    projector = Projector(model.num_features, teacher.num_features, 2, "relu")
    composite = ReusedClassifier(model, projector, copy.deepcopy(teacher.get_classifier()))
    with torch.no_grad():
        composite.train()(images(32))
    return composite.eval()


def weights(model: nn.Module) -> int:
    return sum(layer.weight.numel() for layer in counts.prunable(model).values())


def same_state(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), two.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize("family", FAMILIES)
def test_weight_levels_are_exact_per_layer(family):
    model = network(family)
    before = copy.deepcopy(model)
    for pruned in METHODS["weight"](model, LEVELS):
        for name, layer in counts.prunable(pruned.model).items():
            dense = counts.prunable(model)[name].weight
            gone = round(pruned.level * dense.numel())
            assert int((layer.weight == 0).sum()) - int((dense == 0).sum()) in (gone, 0)
            mask = pruned.masks.get(f"{name}.weight")
            if mask is not None:
                assert int((~mask).sum()) == gone
                assert dense[mask].abs().min() >= dense[~mask].abs().max()
                assert torch.equal(layer.weight[mask], dense[mask])
        assert pruned.params == counts.parameters(model)
        assert pruned.params - pruned.nonzero_params == round(pruned.sparsity * weights(model))
    assert same_state(model, before)


def test_global_scope_removes_the_smallest_of_all():
    model = tiny("basic")
    pruned = next(METHODS["weight"](model, [0.6], scope="global"))
    assert sum(int((~mask).sum()) for mask in pruned.masks.values()) == round(0.6 * weights(model))
    kept = [
        layer.weight[pruned.masks[f"{n}.weight"]] for n, layer in counts.prunable(model).items()
    ]
    gone = [
        layer.weight[~pruned.masks[f"{n}.weight"]] for n, layer in counts.prunable(model).items()
    ]
    assert torch.cat(kept).abs().min() >= torch.cat(gone).abs().max()


def test_the_floor_of_global_scope_holds():
    pruned = next(METHODS["weight"](tiny("separable"), [0.9], scope="global", floor=0.05))
    for row in pruned.layers:
        assert row["nonzero_params"] >= math.ceil(0.05 * row["params"])
    with pytest.raises(KdpruneError, match="floor"):
        next(METHODS["weight"](tiny("basic"), [0.9], scope="global", floor=0.5))


def test_ties_are_broken_alike_and_masks_are_nested():
    model = tiny("basic")
    with torch.no_grad():
        model.layer1[0].conv1.weight.fill_(0.5)
    runs = [list(METHODS["weight"](model, LEVELS)) for _ in range(2)]
    for first, second in some(zip(*runs, strict=True)):
        assert all(torch.equal(mask, second.masks[name]) for name, mask in first.masks.items())
    for less, more in some(zip(runs[0][1:], runs[0][2:], strict=False)):
        assert all((less.masks[name] | ~mask).all() for name, mask in some(more.masks.items()))


@pytest.mark.parametrize("family", FAMILIES)
def test_channel_removal_meets_levels_and_equals_masking(family):
    model = network(family)
    before = copy.deepcopy(model)
    found = groups.find(model)
    ranked = [criteria.ranking(model, group) for group in found]
    order, _ = structured.removal_order([group.size for group in found])
    layers = counts.prunable(model)

    def removed(steps: int) -> int:
        kept = surgery.kept_after(found, ranked, order[:steps])
        return sum(structured.removed_weights(layers, kept).values())

    for pruned in METHODS["channel"](model, LEVELS):
        gone = weights(model) - weights(pruned.model)
        assert gone == round(pruned.sparsity * weights(model))
        assert pruned.params == pruned.nonzero_params
        steps = round(pruned.ratio * sum(group.size for group in found))
        target = pruned.level * weights(model)
        nearest = min((steps - 1, steps, steps + 1), key=lambda n: abs(removed(max(n, 0)) - target))
        assert abs(gone - target) <= abs(removed(max(nearest, 0)) - target)
        masked = copy.deepcopy(model)
        surgery.mask(masked, surgery.kept_after(found, ranked, order[:steps]))
        with torch.no_grad():
            expected, logits = masked(images()), pruned.model(images())
        torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    assert same_state(model, before)


@pytest.mark.parametrize("family", REUSED)
def test_what_enters_a_reused_classifier_stays(family):
    model = network(family)
    for pruned in some(METHODS["channel"](model, [0.9])):
        assert torch.equal(pruned.model.classifier.weight, model.classifier.weight)


def test_mask_mode_counts_filters_and_keeps_shapes():
    model = tiny("bottleneck")
    for pruned in some(METHODS["channel"](model, [0.0, 0.3, 0.6], mode="mask")):
        assert pruned.params == counts.parameters(model)
        zeroed = sum(
            int((layer.weight.flatten(1) == 0).all(1).sum()) * layer.weight[0].numel()
            for layer in counts.prunable(pruned.model).values()
        )
        assert zeroed == round(pruned.sparsity * weights(model))
        assert pruned.sparsity == pytest.approx(pruned.level, abs=0.02)
        assert pruned.nonzero_params <= pruned.params - zeroed


@pytest.mark.parametrize("family", REUSED)
def test_mask_levels_are_of_what_can_be_masked(family):
    model = network(family)
    fixed = [model.classifier, [m for m in model.projector if isinstance(m, nn.Conv2d)][-1]]
    maskable = weights(model) - sum(layer.weight.numel() for layer in fixed)
    for pruned in some(METHODS["channel"](model, [0.5, 0.8], mode="mask")):
        gone = pruned.sparsity * weights(model)
        assert gone == pytest.approx(pruned.level * maskable, rel=0.1)
        for layer in fixed:
            names = some(names_of(layer, model))
            assert not any(f"{name}.weight" in pruned.masks for name in names)


def names_of(wanted: nn.Module, model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if module is wanted]


@pytest.mark.parametrize("method", METHODS)
def test_level_0_is_the_network_itself(method):
    model = tiny("dense")
    assert same_state(next(pruned_by(method, model, [0.0])).model, model)


def test_every_group_keeps_a_channel_and_impossible_levels_are_refused():
    pruned = next(METHODS["channel"](tiny("basic"), [0.97]))
    assert all(layer.weight.shape[0] >= 1 for layer in counts.prunable(pruned.model).values())
    with pytest.raises(KdpruneError, match="at most"):
        next(METHODS["channel"](tiny("basic"), [0.9999]))


def test_the_order_of_removal_keeps_shares_together():
    order, stops = structured.removal_order([10, 100])
    assert stops == list(range(len(order) + 1))
    lost = np.bincount(order[:33], minlength=2)
    assert lost.tolist() == [3, 30]
    assert np.bincount(order).tolist() == [9, 99]  # one of each stays


def test_masked_weights_stay_zero_through_training():
    data = dataset()
    pruned = next(METHODS["weight"](tiny("basic"), [0.8]))
    model = pruned.model.requires_grad_(True)
    apply(model, pruned.masks)
    before = copy.deepcopy(model)
    recipe = Recipe(epochs=2, batch_size=16, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    fit(
        Supervised(model),
        recipe,
        images=data["train_images"],
        labels=data["train_labels"],
        val_images=data["val_images"],
        val_labels=data["val_labels"],
        mean=data["mean"],
        std=data["std"],
    )
    assert not same_state(model, before)
    for name, mask in pruned.masks.items():
        assert (model.get_parameter(name)[~mask] == 0).all()


@pytest.mark.parametrize("nesterov", [True, False])
def test_heads_trained_together_equal_heads_trained_alone(nesterov):
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(2, 50, 12, generator=generator)
    labels = torch.randint(5, (50,), generator=generator)
    start = nn.Linear(12, 5)
    mask = torch.rand(5, 12, generator=generator) > 0.4
    recipe = {"lr": 0.05, "momentum": 0.9, "nesterov": nesterov, "weight_decay": 5e-3}
    seeds, epochs, size = [0, 3, 4], 4, 16
    together, biases = train_heads(
        views, labels, start.weight, start.bias,
        Recipe(epochs=epochs, batch_size=size, **recipe), seeds=seeds, mask=mask,
    )  # fmt: skip
    for index, seed in enumerate(seeds):
        head = copy.deepcopy(start)
        apply(head, {"weight": mask})
        optimiser = torch.optim.SGD(head.parameters(), **recipe)
        drawn = torch.Generator().manual_seed(seed)
        for _ in range(epochs):
            order = torch.randperm(50, generator=drawn)
            view = torch.randint(2, (50,), generator=drawn)
            for batch in range(50 // size):
                at = slice(batch * size, (batch + 1) * size)
                logits = head(views[view[at], order[at]])
                optimiser.zero_grad()
                nn.functional.cross_entropy(logits, labels[order[at]]).backward()
                optimiser.step()
        torch.testing.assert_close(together[index], head.weight.detach(), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(biases[index], head.bias.detach(), rtol=1e-4, atol=1e-6)
        assert (together[index][~mask] == 0).all()


def test_features_feed_the_classifier():
    model, data = tiny("squeeze"), dataset()
    pooled = features(model, data["val_images"], data["mean"], data["std"])
    assert pooled.shape == (20, model.num_features)


def run(method: str, *, seeds: int = 2, scope: str = "head", checkpoint=None, levels=LEVELS):
    return sweep(
        tiny("basic"),
        dataset(),
        method=method,
        levels=levels,
        seeds=seeds,
        re_estimate_images=32,
        finetune=FineTune(**FINETUNE | {"scope": scope}),
        hyperparameters={},
        checkpoint=checkpoint,
    )


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        *[(method, scope) for method in ("weight", "channel") for scope in ("head", "all")],
        *[(method, "none") for method in METHODS if not trains(method)],
    ],
)
def test_a_sweep_is_a_tidy_table_and_repeats_itself(method, scope):
    levels = LEVELS if scope == "head" else [0.0, 0.5]
    rows, layers = run(method, scope=scope, levels=levels)
    again, _ = run(method, scope=scope, levels=levels)
    assert rows.equals(again)
    assert len(rows) == 2 * len(levels)
    assert list(rows.seed.unique()) == [0, 1]
    assert rows.val_accuracy.between(0, 100).all()
    assert not rows.isna().any().any()
    assert set(layers.kind) == {"conv", "linear"}
    assert (layers.nonzero_params <= layers.params).all()


def test_a_killed_sweep_goes_on_to_the_same_rows(tmp_path, monkeypatch):
    whole, _ = run("weight")
    file = tmp_path / "unfinished"
    original = METHODS["weight"]

    def killed(model, levels, **options):
        for number, pruned in enumerate(original(model, levels, **options)):
            if number == 3:
                raise KeyboardInterrupt
            yield pruned

    with monkeypatch.context() as patch:
        patch.setitem(METHODS, "weight", killed)
        with pytest.raises(KeyboardInterrupt):
            run("weight", checkpoint=file)
    rows, _ = run("weight", checkpoint=file)
    assert rows.equals(whole)


def test_batch_norm_is_re_estimated_on_views_as_training_has_them():
    model, data = tiny("basic"), dataset()
    expected = copy.deepcopy(model)
    order = torch.randperm(len(data["train_images"]), generator=seeded())[:24]
    views = random_crop_flip(data["train_images"][order], seeded())
    with torch.no_grad():
        outputs = expected.conv1(normalise(views, data["mean"], data["std"]))
    re_estimate(model, data["train_images"], data["mean"], data["std"], count=24)
    torch.testing.assert_close(model.bn1.running_mean, outputs.mean((0, 2, 3)))
    torch.testing.assert_close(model.bn1.running_var, outputs.var((0, 2, 3)))
    assert model.bn1.momentum == 0.1


def test_batch_norms_of_the_head_are_re_estimated_too():
    model, data = tiny("basic"), dataset()
    model.fc = nn.Linear(model.fc.in_features, 10)
    forward_head = model.forward_head
    model.norm_head = nn.BatchNorm1d(model.fc.in_features)  # as MobileNetV4 has one

    def with_norm(maps, pre_logits=False):
        pooled = model.norm_head(forward_head(maps, pre_logits=True))
        return pooled if pre_logits else model.fc(pooled)

    model.forward_head = with_norm
    re_estimate(model, data["train_images"], data["mean"], data["std"], count=24)
    assert model.norm_head.num_batches_tracked == 1
    assert model.norm_head.running_mean.abs().min() > 0


def test_views_do_not_depend_on_how_many_images_are_evaluated_at_once(monkeypatch):
    model, data = tiny("basic"), dataset()
    many = data["train_images"].repeat(10, 1, 1, 1)
    found = []
    for count in (70, 500):
        monkeypatch.setattr(inputs, "at_once", lambda _, count=count: count)
        found.append(features(model, many, data["mean"], data["std"], views=seeded()))
    assert len(many) > 500
    torch.testing.assert_close(*found)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)

"""Tuning of pruned networks: by labels or by a distillation method, at a rate of its own or
rewound.
"""

import copy

import pytest
import torch
from networks import dataset, images, tiny
from torch import nn

from kdprune.config.grid import expand
from kdprune.config.params import validate
from kdprune.distillation import METHODS as DISTILLERS
from kdprune.distillation.weighted import kd_loss
from kdprune.errors import KdpruneError
from kdprune.methods import parts
from kdprune.pruning import METHODS
from kdprune.study import tuning
from kdprune.sweeps.finetune import FineTune, tuned_copy
from kdprune.sweeps.heads import Taught, train_heads, tuned_heads
from kdprune.sweeps.point import prune_and_tune
from kdprune.sweeps.sweep import sweep
from kdprune.sweeps.tutor import Tutor
from kdprune.training.recipe import Recipe

PLAIN = {
    "epochs": 1, "batch_size": 16, "lr": 0.01, "momentum": 0.9, "nesterov": True,
    "weight_decay": 5e-4, "views": 2,
}  # fmt: skip
SWEEP = {"levels": [0.0, 0.5], "seeds": 2, "re_estimate_images": 32, "hyperparameters": {}}
# Renda, Frankle and Carbin, ICLR 2020: 182 epochs, .1 ÷10 at 91 and 136; epochs at each rate
PUBLISHED = Recipe(
    182, 128, 0.1, 0.9, False, 2e-4, schedule="step", milestones=[91 / 182, 136 / 182], gamma=0.1
)
REWOUND = {
    10: {0.001: 10},
    50: {0.01: 4, 0.001: 46},
    90: {0.01: 44, 0.001: 46},
    110: {0.1: 19, 0.01: 45, 0.001: 46},
    182: {0.1: 91, 0.01: 45, 0.001: 46},
}


def told(scope="all", **changed):
    return FineTune(**PLAIN | {"scope": scope} | changed)


def logits(count, seed):
    return torch.randn(3, count, 5, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize(("ce", "kd", "heat"), [(1.0, 1.0, 4.0), (0.0, 1.0, 2.0), (0.3, 2.0, 1.0)])
def test_the_closed_gradient_of_a_head_is_that_of_autograd(ce, kd, heat):
    ours, theirs = logits(7, 0).requires_grad_(True), logits(7, 1)
    labels = torch.arange(21) % 5
    flat = ours.flatten(0, 1)
    loss = ce * nn.functional.cross_entropy(flat, labels, reduction="sum")
    loss = loss + kd * kd_loss(flat, theirs.flatten(0, 1), temperature=heat) * 21  # batch mean
    (wanted,) = torch.autograd.grad(loss, ours)
    plain = ours.detach().softmax(2) - nn.functional.one_hot(labels, 5).view(3, 7, 5)
    taught = Taught(theirs, ce, kd, heat)
    torch.testing.assert_close(
        taught.errors(plain, ours.detach(), theirs), wanted, rtol=1e-9, atol=1e-9
    )


def test_heads_taught_together_equal_heads_taught_alone():
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(2, 48, 12, generator=generator)
    soft = torch.randn(2, 48, 5, generator=generator)
    labels, start = torch.randint(5, (48,), generator=generator), nn.Linear(12, 5)
    settings = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-3}
    recipe = Recipe(epochs=3, batch_size=16, **settings)
    weights, biases = train_heads(
        seen, labels, start.weight, start.bias, recipe,
        seeds=[0, 3], mask=None, taught=Taught(soft, 0.5, 1.5, 4.0),
    )  # fmt: skip
    for index, seed in enumerate([0, 3]):
        head = copy.deepcopy(start)
        optimiser = torch.optim.SGD(head.parameters(), **settings)
        drawn = torch.Generator().manual_seed(seed)
        for _ in range(3):
            order = torch.randperm(48, generator=drawn)
            view = torch.randint(2, (48,), generator=drawn)
            for at in (slice(0, 16), slice(16, 32), slice(32, 48)):
                chosen = view[at], order[at]
                made = head(seen[chosen])
                loss = 0.5 * nn.functional.cross_entropy(made, labels[order[at]])
                loss = loss + 1.5 * kd_loss(made, soft[chosen], temperature=4.0)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        torch.testing.assert_close(weights[index], head.weight.detach(), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(biases[index], head.bias.detach(), rtol=1e-4, atol=1e-6)


def test_a_network_learns_nothing_from_itself():
    """At level 0 the term of distillation is nothing, and so is its gradient."""
    model = tiny("basic")
    task = DISTILLERS["kd"](copy.deepcopy(model), model, ce=0.0)
    task.eval()  # in training, batch statistics differ
    loss = task(images(8), torch.zeros(8, dtype=torch.long), torch.arange(8))["loss"]
    loss.backward()
    assert abs(loss.item()) < 1e-5
    assert max(item.grad.abs().max().item() for item in task.network.parameters()) < 1e-6
    pruned = next(METHODS["weight"](model, [0.0]))
    finetune = told("head", objective="kd", settings={"ce": 0.0}, weight_decay=0.0)
    weights, _ = tuned_heads(pruned, dataset(), finetune, seeds=[0], tutor=Tutor(model))
    torch.testing.assert_close(weights[0], model.get_classifier().weight, rtol=0, atol=1e-6)


@pytest.mark.parametrize("epochs", REWOUND)
def test_rewinding_replays_the_last_rates_of_the_training(epochs):
    recipe = told(epochs=epochs, original=PUBLISHED).recipe()
    rates = [recipe.rate(epoch * 3 + batch, 3) for epoch in range(epochs) for batch in range(3)]
    counted = {rate: rates.count(pytest.approx(rate)) / 3 for rate in REWOUND[epochs]}
    assert counted == REWOUND[epochs]
    assert sorted(rates, reverse=True) == rates


def test_a_whole_rewinding_is_the_training_and_a_longer_one_is_refused():
    original = Recipe(4, 16, 0.2, 0.9, True, 0.0, schedule="onecycle", warmup=0.3)
    recipe = told(epochs=4, original=original).recipe()
    assert [recipe.rate(step, 5) for step in range(20)] == [
        original.rate(step, 5) for step in range(20)
    ]
    with pytest.raises(KdpruneError, match=r"prune\.finetune\.epochs = 5: more than the 4"):
        told(epochs=5, original=original).recipe()


def test_rewinding_changes_what_is_tuned():
    data, pruned = dataset(), next(METHODS["weight"](tiny("basic"), [0.5]))
    still = Recipe(3, 16, 1e-9, 0.9, True, 0.0, schedule="constant")
    plain = tuned_copy(pruned, data, told(), 0).get_classifier().weight
    slow = tuned_copy(pruned, data, told(original=still), 0).get_classifier().weight
    before = pruned.model.get_classifier().weight
    assert (plain - before).abs().max() > 100 * (slow - before).abs().max()


@pytest.mark.parametrize("scope", ["head", "all"])
def test_labels_alone_are_hintons_loss_without_its_second_term(scope):
    """And labels look at no tutor: what was so before there was a choice stays so, to the bit."""
    model, data = tiny("basic"), dataset()
    alone, _ = sweep(model, data, method="weight", finetune=told(scope), **SWEEP)
    other, _ = sweep(
        model, data, method="weight", finetune=told(scope), tutor=tiny("basic", seed=1), **SWEEP
    )
    assert alone.equals(other)
    if scope == "head":
        finetune = told(scope, objective="kd", settings={"kd": 0.0})
        taught, _ = sweep(model, data, method="weight", finetune=finetune, **SWEEP)
        assert alone.equals(taught)


@pytest.mark.parametrize(("scope", "method"), [("head", "weight"), ("all", "channel")])
def test_export_keeps_what_the_sweep_evaluates(scope, method):
    model, data = tiny("basic"), dataset()
    before = copy.deepcopy(model.state_dict())
    finetune = told(scope, objective="kd", settings={"ce": 0.5, "kd": 1.0, "temperature": 2.0})
    rows, _ = sweep(model, data, method=method, finetune=finetune, **SWEEP)
    again, _ = sweep(model, data, method=method, finetune=finetune, **SWEEP | {"levels": [0.5]})
    assert rows[rows.level == 0.5].reset_index(drop=True).equals(again)  # resumed or not
    kept = prune_and_tune(
        model, data, method=method, level=0.5, seed=1, seeds=2, re_estimate_images=32,
        finetune=finetune, hyperparameters={},
    )  # fmt: skip
    stats = data["mean"].view(3, 1, 1), data["std"].view(3, 1, 1)
    made = kept.model((data["test_images"] / 255 - stats[0]) / stats[1]).argmax(1)
    accuracy = 100 * (made == data["test_labels"]).double().mean().item()
    row = rows[(rows.level == 0.5) & (rows.seed == 1)].iloc[0]
    assert row.test_accuracy == pytest.approx(accuracy)
    for name, mask in kept.masks.items():
        assert (kept.model.get_parameter(name)[~mask] == 0).all()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(item.grad is None for item in model.parameters())


OTHERS = [name for name in DISTILLERS if name not in ("none", "simkd")]


@pytest.mark.parametrize("objective", OTHERS)
@pytest.mark.parametrize("method", ["weight", "channel"])
def test_a_pruned_network_learns_from_its_dense_self_by_every_method(objective, method):
    data, model = dataset(32), tiny("basic", stem="cifar")
    pruned = next(METHODS[method](model, [0.5]))
    settings = {"crd": {"negatives": 8}, "semckd": {"batch_size": 16}}.get(objective, {})
    finetune = told(objective=objective, settings=settings, lr=1e-4)
    network = tuned_copy(pruned, data, finetune, 0, tutor=Tutor(model))
    apart = [
        not torch.equal(one, other)
        for one, other in zip(network.parameters(), pruned.model.parameters(), strict=True)
    ]
    assert all(apart)
    for name, mask in pruned.masks.items():
        assert (network.get_parameter(name)[~mask] == 0).all()
    assert not model.training


def test_what_cannot_tune_a_pruned_network_says_so():
    pruned, data = next(METHODS["weight"](tiny("basic"), [0.5])), dataset()
    tutor = Tutor(tiny("basic"))
    with pytest.raises(KdpruneError, match="objective: simkd puts another network in the place"):
        tuned_copy(pruned, data, told(objective="simkd"), 0, tutor=tutor)
    with pytest.raises(KdpruneError, match="objective: at tunes more than a head"):
        tuned_heads(pruned, data, told("head", objective="at"), seeds=[0], tutor=tutor)


PAIR = {"datasets": ["cifar10"], "pairs": ["big/small"], "roles": ["teacher", "student"]}


def test_a_study_holds_several_orders_side_by_side():
    """Distil, then prune; prune, then distil; and the teacher itself pruned and distilled."""
    grid = expand(
        **PAIR, distill=["simkd", "none"], prune="weight", objective=["labels", "kd"],
        source="teacher",
    )["sweeps"]  # fmt: skip
    orders = {
        "cifar10-big-small-simkd-weight": ("none", "students/cifar10-big-small-simkd"),
        "cifar10-big-small-none-weight-kd": ("kd", "teachers/cifar10-big"),
        "cifar10-big-weight-kd": ("kd", "teachers/cifar10-big"),  # nobody teaches a teacher
    }
    for key, (tuned_by, tutor) in orders.items():
        item = grid[key]
        assert item["pruning"] == "weight"
        assert item["tuning"] == tuned_by
        if tuned_by == "kd":
            assert item["tutor"] == f"models/{tutor}.safetensors"
    assert len(grid) == 6
    assert parts("weight-kd") == ("weight", "kd")
    assert parts("weight") == ("weight", "")


def test_one_objective_is_the_studys_and_needs_no_name():
    one = expand(**PAIR, distill="none", prune="both", objective="kd", source="self")["sweeps"]
    assert {item["method"] for item in one.values()} == {"weight", "channel"}
    assert all(item["tutor"] == item["checkpoint"] for item in one.values())
    assert {item["tuning"] for item in one.values()} == {"kd"}
    old = expand(**PAIR, distill="none", prune="both", objective=None)["sweeps"]
    shared = set(next(iter(old.values())))
    assert {key: {name: item[name] for name in shared} for key, item in one.items()} == old


def study(values, **changed):
    finetune = {**values["prune"]["finetune"], **changed}
    values = {**values, "prune": {**values["prune"], "finetune": finetune}}
    grid = expand(
        datasets=values["datasets"], pairs=values["pairs"], distill=values["distill"]["method"],
        prune=values["prune"]["method"], roles=values["prune"]["roles"],
        objective=finetune["objective"], source=finetune["from"],
    )  # fmt: skip
    return validate({**values, "grid": grid})


FAULTS = [
    ({"objective": "kdd"}, r"'kdd' is unknown; did you mean kd"),
    ({"objective": "none", "scope": "all"}, r"'none' is unknown"),
    ({"objective": "simkd", "scope": "all"}, r"simkd puts another network"),
    ({"objective": ["kd", "kd"]}, r"'kd' is named twice"),
    ({"objective": []}, r"objective"),
    ({"objective": "at"}, r"at tunes more than a head; use scope: all"),
    ({"objective": "kd", "scope": "none"}, r"kd tunes nothing with scope: none"),
    ({"objective": "semckd", "scope": "all", "batch_size": 32}, r"semckd takes batches of"),
    ({"schedule": "rewind", "epochs": 1000}, r"epochs = 1000: must be \d+ \(teach\.epochs\)"),
    ({"schedule": "rewind", "epochs_of": {"weight": 1000}}, r"epochs_of\.weight = 1000: must be"),
    ({"schedule": "cosine"}, r"schedule = 'cosine'"),
    (
        {"epochs_of": {"wieght": 1}},
        r"'wieght' is not in prune\.method; did you mean weight",
    ),
    ({"epochs_of": {"weight": 0}}, r"epochs_of\.weight = 0: input should be greater"),
    ({"from": "nobody"}, r"prune\.finetune\.from = 'nobody'"),
]


@pytest.mark.parametrize(("changed", "line"), FAULTS)
def test_faults_are_told_before_any_work(values, changed, line):
    with pytest.raises(KdpruneError, match=rf"prune\.finetune\..*{line}|{line}"):
        study(values, **changed)


STUDENT = {"role": "student", "teacher": "one", "student": "two", "distill": "simkd"}


def test_what_a_sweep_is_told_follows_from_its_name(values):
    params = study(values, objective=["labels", "kd"], schedule="rewind", **{"from": "teacher"})
    plain, taught = (FineTune(**tuning.told(params, STUDENT, m)) for m in ("weight", "weight-kd"))
    assert (plain.objective, taught.objective) == ("labels", "kd")
    assert dict(taught.settings) == params.distill.hyperparameters["kd"]
    assert plain.original == Recipe(**params.distill.training.model_dump())
    assert plain.epochs == taught.epochs  # equal epochs, whatever is learned from
    assert tuning.by_teacher(params, "student", "weight-kd")
    assert not tuning.by_teacher(params, "teacher", "weight-kd")
    assert not tuning.by_teacher(params, "student", "weight")
    before = study(values)
    assert FineTune(**tuning.told(before, STUDENT, "weight")).original is None


def test_single_methods_are_tuned_for_epochs_of_their_own(values):
    params = study(values, objective=["labels", "kd"], epochs=3, epochs_of={"channel": 1})
    told = {"weight": 3, "channel": 1, "channel-kd": 1}
    for method, epochs in told.items():
        assert tuning.told(params, STUDENT, method)["epochs"] == epochs

"""Methods that train on their way: trajectories are exact, and resumed bit for bit."""

import copy
import math
from functools import partial

import pandas as pd
import pytest
import torch
from conftest import some
from networks import dataset, tiny
from torch import nn

from kdprune.config.grid import expand
from kdprune.config.signatures import registered, trains
from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.pruning import METHODS, application, magnitude, trajectories
from kdprune.pruning.trained import Idle
from kdprune.reporting.paper import beside
from kdprune.running.study import needs
from kdprune.sparsification.rounds import Rounds
from kdprune.sparsification.trajectory import sparsify
from kdprune.study import networks
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.point import prune_and_tune
from kdprune.sweeps.sweep import sweep
from kdprune.training import loop
from kdprune.training.recipe import Recipe

LEVELS = [0.0, 0.25, 0.5]
TRAINED = some(name for name in METHODS if application.trains(name))
SHORT = {
    "magnitude": {"epochs": 2},
    "ssl": {"epochs": 4, "strength": 1.0},
    "aofp": {"epochs": 3, "half": 1},
    "pqk": {"ramp": 1, "epochs": 1},
    "gal": {"epochs": 2, "every": 1, "strength": 10.0},
    "one_shot": {"epochs": 1},
    "scratch": {"epochs": 2, "schedule": "cosine"},
}
RECIPE = Recipe(epochs=1, batch_size=16, lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
FINETUNE = FineTune("none", 1, 16, 0.01, 0.9, True, 0.0, 1)


def rounds(method: str, folder=None) -> Rounds:
    kept = (lambda number: None) if folder is None else (lambda number: folder / f"{number}.ckpt")
    return Rounds(dataset(32), RECIPE, method=method, kept=kept)


def trajectory(method: str, model: nn.Module, folder, work=None):
    """Train a short trajectory; return its tables."""
    return sparsify(model, dataset(32), LEVELS, SHORT[method], rounds(method, work), folder=folder)


def levels_of(method: str, model: nn.Module, folder):
    return list(trajectories.read(folder, model, LEVELS, method=method))


def same(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), two.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.fixture(scope="module", params=TRAINED)
def trained(request, tmp_path_factory):
    """A method, a dense network, the folder of its trajectory, its tables, what it yielded."""
    folder, model = tmp_path_factory.mktemp("sparse"), tiny("basic")
    before, yielded, store = copy.deepcopy(model), [], trajectories.store

    def seen(folder, pruned, dense):
        store(folder, pruned, dense)
        yielded.append(copy.deepcopy(pruned))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajectories, "store", seen)
        tables = trajectory(request.param, model, folder)
    assert same(model, before)  # a trajectory leaves the dense network as it was
    return request.param, model, folder, tables, yielded


def test_signatures_tell_who_trains():
    assert [name for name in registered("prune") if trains(name)] == TRAINED
    assert not any(map(trains, ("both", "nobody")))


def test_level_0_is_the_dense_network_bit_for_bit(trained):
    method, model, folder, *_ = trained
    first = levels_of(method, model, folder)[0]
    assert (first.sparsity, first.masks) == (0, {})
    assert all(keep.all() for keep in first.kept.values())
    assert same(first.model, model)


def test_levels_lose_what_they_say_and_rise(trained):
    method, model, folder, (table, curve), _ = trained
    total = sum(layer.weight.numel() for layer in counts.prunable(model).values())
    before = -1.0
    for pruned, row in zip(levels_of(method, model, folder), table.itertuples(), strict=True):
        assert pruned.level == row.level
        assert pruned.sparsity >= max(before, 0)
        assert pruned.nonzero_params == row.nonzero_params
        left = sum(item["nonzero_params"] for item in pruned.layers)
        assert left == total - round(pruned.sparsity * total)
        assert total - left <= counts.parameters(model) - pruned.nonzero_params
        for name, mask in pruned.masks.items():
            assert not pruned.model.get_parameter(name)[~mask].any()
        before = pruned.sparsity
    assert table.epochs.sum() == len(curve)
    assert curve.train_loss.map(math.isfinite).all()


def test_what_a_level_has_spent_is_what_its_network_cost(trained):
    """Of all levels up to it where each goes on from the one before, else of its own."""
    method, _, _, (table, _), _ = trained
    given = {"rising": True, **SHORT[method]}
    rise = [application.spent(method, LEVELS[:n], given) for n in range(1, 4)]
    alone = [0.0, rise[1], rise[2] - rise[1]]
    assert application.anew(method) == (method in ("one_shot", "scratch"))
    wanted = alone if application.anew(method) else rise
    assert [*table.spent] == pytest.approx(wanted)


def test_one_level_alone_is_that_of_the_sweep(trained):
    method, model, folder, *_ = trained
    told = {"seeds": 1, "re_estimate_images": 32, "finetune": FINETUNE}
    told |= {"hyperparameters": SHORT[method], "trajectory": folder, "method": method}
    table, layers = sweep(model, dataset(), levels=LEVELS, **told)
    alone = prune_and_tune(model, dataset(), level=0.5, seed=0, **told)
    data = dataset()
    right = loop.evaluate(
        alone.model, data["val_images"], data["val_labels"], data["mean"], data["std"]
    )
    assert table[table.level == 0.5].val_accuracy.item() == right
    assert len(layers) == len(LEVELS) * len(counts.prunable(model))


def test_what_is_stored_is_what_was_yielded(trained):
    """Masks and kept channels too, for exports and twins are made of them."""
    method, model, folder, _, yielded = trained
    for one, two in zip(yielded, levels_of(method, model, folder), strict=True):
        assert same(one.model, two.model)
        assert one.layers == two.layers
        assert (one.level, one.ratio, one.sparsity) == (two.level, two.ratio, two.sparsity)
        assert one.masks.keys() == two.masks.keys()
        assert one.kept.keys() == two.kept.keys()
        assert all(torch.equal(mask, two.masks[name]) for name, mask in one.masks.items())
        assert all((keep == two.kept[at]).all() for at, keep in one.kept.items())


def test_killed_and_resumed_is_bit_identical(trained, tmp_path, monkeypatch):
    method, model, whole, (_, curve), _ = trained
    (work := tmp_path / "work").mkdir()
    stored, done = loop.store, []

    def killed(path, **state):
        stored(path, **state)
        done.append(path)
        if len(done) == len(curve) // 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "store", killed)
    with pytest.raises(KeyboardInterrupt):
        trajectory(method, model, tmp_path / "killed", work)
    resumed = tmp_path / "resumed"  # DVC clears a stage's folders before it runs again
    trajectory(method, model, resumed, work)
    assert len(done) == len(curve)  # no epoch was trained twice
    for file in some(sorted(whole.iterdir())):
        assert file.read_bytes() == (resumed / file.name).read_bytes()


def test_a_trajectory_of_another_network_is_refused(trained):
    method, _, folder, *_ = trained
    with pytest.raises(KdpruneError, match="began with another network"):
        next(trajectories.read(folder, tiny("basic", seed=1), [0.5], method=method))
    with pytest.raises(KdpruneError, match="holds no level of a trajectory"):
        next(trajectories.read(folder, tiny("basic"), [0.7], method=method))
    with pytest.raises(KdpruneError, match="stage sparsify"):
        next(application.prune(method, tiny("basic"), [0.5], {}, dataset))


def test_damage_is_told_of(trained, tmp_path):
    method, model, folder, *_ = trained
    content = trajectories.file(folder, 0.5).read_bytes()
    trajectories.file(tmp_path, 0.5).write_bytes(content[: len(content) // 2])
    with pytest.raises(KdpruneError, match="does not say which levels there are"):
        next(trajectories.read(tmp_path, model, [0.5], method=method))
    trajectories.declare(tmp_path, LEVELS, LEVELS, 1.0)
    with pytest.raises(KdpruneError, match="holds no level of a trajectory"):
        next(trajectories.read(tmp_path, model, [0.5], method=method))


def test_the_grid_has_trajectories_for_methods_that_train():
    study = {"datasets": ["cifar10"], "pairs": ["a/b"], "distill": "kd", "roles": ["teacher"]}
    assert expand(prune="both", **study)["trajectories"] == {}
    grid = expand(prune=["weight", "magnitude"], objective=["labels", "kd"], **study)
    assert grid["trajectories"] == {
        "cifar10-a-magnitude": {
            "dataset": "cifar10",
            "role": "teacher",
            "teacher": "a",
            "student": "",
            "distill": "",
            "checkpoint": "models/teachers/cifar10-a.safetensors",
            "pruning": "magnitude",
        }
    }
    item = grid["sweeps"]["cifar10-a-magnitude-kd"]  # one trajectory, whatever it is tuned by
    assert item["checkpoint"] == "models/sparse/cifar10-a-magnitude"
    assert networks.dense(item).as_posix() == item["tutor"]
    assert networks.trajectory(grid["sweeps"]["cifar10-a-weight"]) is None
    order = needs(grid)
    assert order["prune@cifar10-a-magnitude-kd"][1] == "sparsify@cifar10-a-magnitude"
    assert order["sparsify@cifar10-a-magnitude"][1] == "teach@cifar10-a"
    assert order["prune@cifar10-a-weight"][1] == "teach@cifar10-a"


class Layers(nn.Module):
    """Two layers of unlike scale; nothing runs them."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Linear(4, 2), nn.Linear(4, 2)
        with torch.no_grad():
            self.wide.weight.copy_(torch.tensor([[8.0, -1, 2, 3], [-4, 5, -6, 7]]))
            self.narrow.weight.copy_(self.wide.weight.flip(0) / 100)


def test_magnitude_measures_in_deviations_of_what_is_left():
    run = partial(magnitude.prune.__wrapped__, Layers(), [0.25, 0.5], train=Idle())
    first, second = list(run(scope="std"))
    assert [row["nonzero_params"] for row in first.layers] == [6, 6]  # alike, whatever the scale
    assert (second.masks["wide.weight"] <= first.masks["wide.weight"]).all()  # nested
    alone = list(run(scope="global"))[1]
    assert [row["nonzero_params"] for row in alone.layers] == [8, 0]


def test_magnitude_removes_by_the_values_that_training_left():
    """And a weight that comes to zero by itself is not one that is gone."""

    def train(task, **recipe):
        with torch.no_grad():
            task.network.wide.weight[0, 0] = 0.0  # the largest before; alive
            task.network.narrow.weight.mul_(10)

    levels = list(magnitude.prune.__wrapped__(Layers(), [0.25, 0.5], train=train, scope="layer"))
    first, second = (pruned.masks["wide.weight"] for pruned in levels)
    assert (bool(first[0, 0]), bool(second[0, 0])) == (True, False)
    assert (second <= first).all()
    assert int((~second).sum()) == 4


def test_in_one_shot_every_level_has_the_epochs_that_steps_would_have_taken():
    asked = []

    def train(task, **recipe):
        asked.append(recipe["epochs"])

    model = tiny("basic")
    plain = {pruned.level: pruned for pruned in METHODS["weight"](model, LEVELS, scope="std")}
    for pruned in METHODS["one_shot"](model, LEVELS, train=train, epochs=3):
        for name, mask in pruned.masks.items():  # from the dense network, not from level to level
            assert torch.equal(mask, plain[pruned.level].masks[name])
    assert asked == [3, 6]
    asked.clear()
    list(METHODS["one_shot"](model, LEVELS, train=train, of="channel", rising=False, epochs=3))
    assert asked == [3, 3]


@pytest.mark.parametrize("of", ["weight", "channel"])
def test_from_scratch_shapes_and_masks_are_all_that_is_left_of_a_network(of):
    model = tiny("basic")
    drawn = [list(METHODS["scratch"](model, LEVELS, train=Idle(), of=of)) for _ in range(2)]
    cut = list(METHODS[of](model, LEVELS))
    for one, two, whole in zip(*drawn, cut, strict=True):
        assert same(one.model, two.model)  # by the seed
        assert one.nonzero_params == whole.nonzero_params
        assert all(torch.equal(mask, one.masks[name]) for name, mask in whole.masks.items())
        first, dense = one.model.conv1.weight, whole.model.conv1.weight
        assert first.shape == dense.shape
        assert torch.equal(first, dense) == (one.level == 0)
        for name, mask in one.masks.items():
            assert not one.model.get_parameter(name)[~mask].any()


def test_table_3_takes_methods_that_act_on_the_teacher_from_the_teacher():
    shared = {"dataset": "cifar10", "teacher": "t", "condition": "magnitude", "distill": ""}
    rows = [
        {**shared, "role": "teacher", "params": 5e6},
        {**shared, "role": "student", "params": 1},
    ]
    table = beside.table_3(pd.DataFrame(rows), "cifar10").set_index("compression")
    assert table.t["magnitude pruning"] == 0.5

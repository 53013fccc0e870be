"""Layers that learn at their own rate, or not at all."""

import copy

import pytest
import torch
from networks import dataset, tiny
from test_training import same, train

from kdprune.config.params import validate
from kdprune.distillation.none import Supervised
from kdprune.study.trainings import recipe_of
from kdprune.training.layers import groups, set_rate

PLAIN = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "schedule": "constant"}


def moved(**recipe) -> dict[str, torch.Tensor]:
    """How far each parameter and statistic of a tiny network moves in one step."""
    network = tiny()
    before = copy.deepcopy(network.state_dict())
    train(Supervised(network), dataset(count=16), epochs=1, lr=0.01, **PLAIN, **recipe)
    return {name: value - before[name] for name, value in network.state_dict().items()}


def test_all_but_the_last_layer_move_by_their_share():
    whole, slow = moved(), moved(body=0.25)
    assert torch.equal(slow["fc.weight"], whole["fc.weight"])
    for name in ("conv1.weight", "layer4.0.bn2.bias"):
        torch.testing.assert_close(4 * slow[name], whole[name], rtol=1e-2, atol=1e-7)
        assert whole[name].abs().max() > 0


def test_frozen_layers_and_their_statistics_stay():
    whole, frozen = moved(), moved(body=0.0)
    still = {name for name, change in frozen.items() if not change.any()}
    assert {name for name in frozen if name not in still} == {"fc.weight", "fc.bias"}
    assert whole["bn1.running_mean"].any()


def test_alike_is_as_it_always_was():
    one, other = moved(), moved(body=1.0)
    assert same(one, other)
    assert all(isinstance(item, torch.nn.Parameter) for item in groups(Supervised(tiny()), 1.0))


def test_a_killed_training_goes_on_with_both_rates(tmp_path):
    class Killed(Exception):
        pass

    class Mortal(Supervised):
        left = 6

        def forward(self, *batch):
            self.left -= 1
            if self.left < 0:
                raise Killed
            return super().forward(*batch)

    recipe = {"epochs": 3, "body": 0.5, "checkpoint": tmp_path / "kept"}
    whole = Supervised(tiny(seed=2))
    train(whole, **recipe | {"checkpoint": None})
    with pytest.raises(Killed):
        train(Mortal(tiny(seed=2)), **recipe)
    again = Supervised(tiny(seed=2))
    train(again, **recipe)
    assert same(whole.state_dict(), again.state_dict())


def test_a_rate_is_shared_out():
    optimiser = torch.optim.SGD(groups(Supervised(tiny()), 0.1), 1.0)
    set_rate(optimiser, 0.5)
    assert [group["lr"] for group in optimiser.param_groups] == [0.5, 0.05]


def test_the_parameters_say_who_learns_slower(values):
    weights = {"path": "w.pt", "sha256": "0" * 64, "head": "new", "rate": 0.2}
    values["architectures"]["resnet10_24"]["weights"] = weights
    params = validate(values)
    taught = recipe_of(params, {"teacher": "resnet10_24"})
    assert (taught.body, taught.epochs) == (0.2, params.teach.epochs)
    assert recipe_of(params, {"teacher": "resnet10_24", "student": "resnet10_16"}).body == 1

"""What trajectories cost, told before they are run, is what they then cost."""

import subprocess
import sys

import pytest
from conftest import ROOT
from networks import dataset, tiny

from kdprune.config.params import load
from kdprune.errors import KdpruneError
from kdprune.planning import plan
from kdprune.pruning import METHODS, application
from kdprune.pruning.trained import Idle

TRAINED = [name for name in METHODS if application.trains(name)]
LEVELS = [0.0, 0.2, 0.4]


class Counted(Idle):
    """Notes how many epochs are asked for; those of two passes count twice."""

    epochs = 0.0

    def __call__(self, task, **recipe) -> None:
        weight = {"SelfTaught": 2, "Ablated": 4 / 3, "Masked": 4 / 3}.get(type(task).__name__, 1)
        self.epochs += weight * recipe["epochs"]


@pytest.mark.parametrize("method", TRAINED)
def test_epochs_are_what_a_trajectory_asks_for(method, values):
    given, train = values["prune"][method], Counted()
    list(application.sparsify(method, tiny("basic"), LEVELS, given, dataset, train))
    assert application.spent(method, LEVELS, given) == pytest.approx(train.epochs)


def planned(output, *changes):
    """The rows of the plan of one pair whose teacher is pruned in two ways."""
    command = [sys.executable, ROOT / "conf/compose.py", "-o", output]
    small = ["pairs=[resnet10_24/resnet10_16]", "prune.roles=[teacher]"]
    subprocess.run([*command, *small, "prune.method=[weight,magnitude]", *changes], check=True)
    return plan.plan(load(output), ROOT, seconds=None)["rows"]


def test_a_plan_has_a_row_for_each_trajectory(tmp_path):
    every = planned(tmp_path / "params.yaml")
    rows = [row for row in every if row["kind"] == "sparsify magnitude"]
    weight = [row for row in every if row["kind"] == "prune weight"]
    assert len(rows) == len(weight)
    for row in rows:
        assert row["work"].epochs == 9 * 3  # levels but 0, epochs each
        assert row["bytes"] % 10 == 0  # a file per level
        assert row["work"].backward == pytest.approx(2 * row["work"].forward, rel=0.15)


def test_a_method_that_does_not_say_what_it_costs_is_named(tmp_path, monkeypatch):
    monkeypatch.delattr("kdprune.pruning.magnitude.spent")
    with pytest.raises(KdpruneError, match=r"pruning/magnitude\.py: .*add spent\(rises, hyperp"):
        planned(tmp_path / "params.yaml")


def test_a_method_of_fewer_epochs_is_planned_with_these(tmp_path):
    fewer = ["prune.finetune.scope=all", "+prune.finetune.epochs_of.magnitude=1"]
    every = planned(tmp_path / "params.yaml", *fewer)
    work = {row["kind"]: row["work"].backward for row in every if row["kind"].startswith("prune")}
    assert work["prune weight"] == pytest.approx(5 * work["prune magnitude"])

"""What the loss at a breakpoint is made of: each step is measured from what the one before left."""

import copy

import pandas as pd
import pytest
from networks import dataset, tiny

from kdprune.config import coding
from kdprune.config.params import validate
from kdprune.errors import KdpruneError
from kdprune.pruning import METHODS
from kdprune.records import IDENTITY
from kdprune.reporting.sections import attribution as section
from kdprune.study import attributions
from kdprune.sweeps.attribution import COLUMNS, attribute
from kdprune.sweeps.batchnorm import re_estimate
from kdprune.sweeps.finetune import FineTune
from kdprune.training.loop import evaluate
from kdprune.training.recipe import Recipe

FINETUNE = FineTune("head", 2, 16, 0.01, 0.9, True, 0.0, 1)
RECIPE = Recipe(epochs=3, batch_size=16, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.0)
TAUGHT = {"ce": 1, "kd": 1, "temperature": 4}


def steps(model, method="channel", level=0.5, **given) -> pd.DataFrame:
    told = {"hyperparameters": given, "re_estimate_images": 32, "finetune": FINETUNE}
    told |= {"taught": TAUGHT, "original": RECIPE, "method": method, "level": level}
    return attribute(model, dataset(32), **told).set_index("step")


def accuracy(model) -> float:
    data = dataset(32)
    return evaluate(model, data["test_images"], data["test_labels"], data["mean"], data["std"])


def test_each_step_begins_where_it_says():
    model = tiny("basic")
    before = copy.deepcopy(model.state_dict())
    rows = steps(model)
    assert [rows.index.name, *rows] == COLUMNS
    assert [*rows.index] == [*section.STEPS]
    assert rows.epochs.tolist() == [0, 0, 0, 2, 2, 2, 3]
    assert rows.test_accuracy.between(0, 100).all()
    assert all((value == before[name]).all() for name, value in model.state_dict().items())
    cut = next(METHODS["channel"](model, [0.5])).model
    assert rows.test_accuracy["unpruned"] == accuracy(model)
    assert rows.test_accuracy["removed"] == accuracy(cut)
    data = dataset(32)
    re_estimate(cut, data["train_images"], data["mean"], data["std"], count=32)
    assert rows.test_accuracy["batchnorm"] == accuracy(cut)


def test_from_scratch_the_values_that_were_there_decide_nothing():
    """Random channels go alike in both networks; what is trained anew is then the same."""
    one, two = (steps(tiny("basic", seed=n), "random_channel", seed=0) for n in (0, 1))
    assert one.loc["scratch"].tolist() == two.loc["scratch"].tolist()
    assert one.loc["removed"].tolist() != two.loc["removed"].tolist()


def test_prunings_are_named_among_those_that_are_run(values):
    assert values["attribute"]["methods"] == []
    assert values["grid"]["attributions"] == {}
    values["attribute"]["methods"] = ["channel"]
    with pytest.raises(KdpruneError, match="attributions"):  # the grid has none yet
        validate(values)
    made = coding.grid(values["grid"], [], ["channel"])
    params = validate({**values, "grid": values["grid"] | made})
    assert {item["method"] for item in params.grid["attributions"].values()} == {"channel"}
    assert len(params.grid["attributions"]) == 5
    values["attribute"]["methods"] = ["chanel"]
    with pytest.raises(KdpruneError, match=r"attribute\.methods: 'chanel' is .*mean channel"):
        validate(values)


def test_the_section_says_what_was_lost_and_won_back():
    assert section.section(None) is None
    assert section.section(pd.DataFrame(columns=attributions.COLUMNS)) is None
    who = dict.fromkeys(IDENTITY, "") | {"dataset": "cifar10", "role": "teacher", "teacher": "a"}
    accuracies = {"weight": [60, 20, 40, 45, 55, 57, 50], "channel": [60, 10, 30, 40, 58, 57, 59]}
    rows = pd.DataFrame(
        [
            {**who, "method": method, "level": 0.5, "step": step, "epochs": 1}
            | {"val_accuracy": 0.0, "test_accuracy": float(value)}
            for method, values in accuracies.items()
            for step, value in zip(section.STEPS, values, strict=True)
        ]
    )
    made = section.section(rows)
    finding, table, chart = made.blocks[1].text, made.blocks[2], made.blocks[3]
    assert "Weight pruning (means of 1 network): the cut alone costs −40.00 points" in finding
    assert "from scratch stands +1.00 against all layers tuned" in finding  # of channels
    labels = [label for label, _ in table.columns]
    cells = [dict(zip(labels, (cell.value for cell in row), strict=True)) for row in table.rows]
    assert [cell["Won back by tuning all"] for cell in cells] == [35, 48]
    assert [cell["Tuned − from scratch"] for cell in cells] == [5, -1]
    assert chart.spec["data"]["values"].count("\n") == 1 + 2 * len(section.STEPS)

"""The loop repeats itself bit for bit, goes on where it was killed, and stops when it diverges."""

import pytest
import torch
from networks import dataset, tiny

from kdprune.distillation import METHODS
from kdprune.errors import KdpruneError
from kdprune.files import before
from kdprune.training.loop import evaluate, fit
from kdprune.training.recipe import Recipe

RECIPE = {
    "epochs": 3,
    "batch_size": 16,
    "lr": 0.05,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
    "schedule": "onecycle",
    "warmup": 0.3,
    "seed": 7,
}


OTHER = ("checkpoint", "title")  # arguments that are no part of the recipe


def train(task, data=None, **changes):
    data = data or dataset()
    rows = fit(
        task,
        Recipe(**{key: value for key, value in (RECIPE | changes).items() if key not in OTHER}),
        images=data["train_images"],
        labels=data["train_labels"],
        val_images=data["val_images"],
        val_labels=data["val_labels"],
        mean=data["mean"],
        std=data["std"],
        **{key: value for key, value in changes.items() if key in OTHER},
    )
    return rows


def make(method: str, data: dict):
    teacher = tiny("dense", seed=1) if method != "none" else None
    # SemCKD is built for one size of batch; its usual weight, 400, diverges on networks so small
    settings = {"batch_size": RECIPE["batch_size"], "feature": 4} if method == "semckd" else {}
    torch.manual_seed(3)  # what a method trains beside the student starts from the global generator
    student = tiny("basic", seed=2)
    return METHODS[method](student, teacher, labels=data["train_labels"], **settings)


def same(one, two) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.values(), two.values(), strict=True))


def test_two_runs_are_bit_identical():
    results = []
    for _ in range(2):
        task = make("none", dataset())
        results.append((train(task), task.state_dict()))
    assert results[0][0] == results[1][0]
    assert same(results[0][1], results[1][1])


def test_the_seed_matters():
    one, two = make("none", dataset()), make("none", dataset())
    train(one)
    train(two, seed=8)
    assert not same(one.state_dict(), two.state_dict())


class Killed(Exception):
    pass


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_goes_on_to_the_same_weights(method, tmp_path, monkeypatch):
    data = dataset()
    whole = make(method, data)
    rows = train(whole, data)
    interrupted = make(method, data)
    forward, calls = type(interrupted).forward, []

    def killed_in_the_third_epoch(self, *arguments):
        calls.append(1)
        if len(calls) == 2 * 4 + 2:
            raise Killed
        return forward(self, *arguments)

    file = tmp_path / "unfinished"
    with monkeypatch.context() as patch:
        patch.setattr(type(interrupted), "forward", killed_in_the_third_epoch)
        with pytest.raises(Killed):
            train(interrupted, data, checkpoint=file)
    resumed = make(method, data)
    assert train(resumed, data, checkpoint=file) == rows
    assert same(resumed.state_dict(), whole.state_dict())


def test_it_learns():
    data = dataset(classes=4)
    task = make("none", data)
    rows = train(task, data, epochs=8)
    assert rows[-1]["train_loss"] < 0.7 * rows[0]["train_loss"]
    accuracy = evaluate(
        task.network, data["test_images"], data["test_labels"], data["mean"], data["std"]
    )
    assert accuracy > 50


def test_divergence_stops_with_a_reason():
    with pytest.raises(KdpruneError, match="loss of epoch 1 is"):
        train(make("none", dataset()), lr=1e30)


@pytest.mark.parametrize("both", [False, True], ids=["last", "both"])
def test_a_damaged_checkpoint_is_passed_over(both, tmp_path, capsys):
    data, file = dataset(), tmp_path / "unfinished"
    whole = make("none", data)
    rows = train(whole, data, checkpoint=file)
    for damaged in (file, before(file))[: 1 + both]:
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 1  # which torch alone would not notice
        damaged.write_bytes(content)
    resumed = make("none", data)
    assert train(resumed, data, checkpoint=file) == rows
    assert same(resumed.state_dict(), whole.state_dict())
    assert capsys.readouterr().err.count("is damaged") == 1 + both


def test_rows_follow_from_the_data():
    rows = train(make("none", dataset(count=70)), dataset(count=70))
    assert [row["step"] for row in rows] == [4, 8, 12]  # 70 // 16 whole batches an epoch
    assert set(rows[0]) == {"epoch", "step", "lr", "train_loss", "val_accuracy"}

"""Curves of running trainings grow by the epoch, survive a kill, and change no result."""

import pandas as pd
import pytest
import torch
from networks import dataset, tiny

from kdprune.distillation.none import Supervised
from kdprune.progress import followed
from kdprune.training import fit
from stages import live

KEY = "cifar10-tiny"
CURVE = live.FOLDER / f"{KEY}.csv"


class Killed(Exception):
    pass


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STUDIO_TOKEN", raising=False)
    return tmp_path


def train(**changes):
    task = Supervised(tiny("basic", seed=2))
    data = dataset()
    data = {name.removeprefix("train_"): value for name, value in data.items()}
    data = {name: value for name, value in data.items() if not name.startswith("test_")}
    recipe = {"epochs": 3, "batch_size": 16, "lr": 0.05, "momentum": 0.9, "nesterov": True}
    rows = fit(task, **data, **recipe, weight_decay=5e-4, schedule="onecycle", title=KEY, **changes)
    return rows, task.state_dict()


def rows_of(path) -> list[dict]:
    return pd.read_csv(path).to_dict("records")


def test_a_curve_grows_by_the_epoch_and_goes_with_its_stage():
    seen = []
    with live.drawn("teach", KEY), followed(lambda *_: seen.append(rows_of(CURVE))):
        rows, _ = train()
        assert [row["epoch"] for row in rows_of(CURVE)] == [1, 2, 3]
    assert [len(part) for part in seen] == [1, 2, 3]
    for row, drawn in zip(rows, seen[-1], strict=True):
        assert drawn["val_accuracy"] == pytest.approx(row["val_accuracy"], rel=1e-5)
        assert drawn["train_loss"] == pytest.approx(row["train_loss"], rel=1e-5)
    assert not list(live.FOLDER.iterdir())


def test_results_are_the_same_without():
    bare, weights = train()
    with live.drawn("distill", KEY):
        rows, drawn = train()
    assert rows == bare
    assert all(torch.equal(weights[name], drawn[name]) for name in weights)


def test_a_killed_training_goes_on_from_its_curve(project):
    """Killed between the row of an epoch and its checkpoint, the training repeats that epoch."""

    def kill(_, epoch, figures):
        if epoch == 2:
            raise Killed

    file = project / "unfinished"
    with pytest.raises(Killed), live.drawn("teach", KEY), followed(kill):
        train(checkpoint=file)
    assert [row["epoch"] for row in rows_of(CURVE)] == [1, 2]
    first = CURVE.read_text().splitlines()[1]
    with live.drawn("teach", KEY):
        train(checkpoint=file)
        assert [row["epoch"] for row in rows_of(CURVE)] == [1, 2, 3]
    assert first.startswith("1,")


def test_a_run_from_the_start_forgets_an_older_curve():
    CURVE.parent.mkdir(parents=True)
    CURVE.write_text("epoch,train_loss,val_accuracy\n1,9,9\n2,9,9\n7,9,9\n")
    seen = []
    with live.drawn("teach", KEY), followed(lambda *_: seen.append(rows_of(CURVE))):
        train()
    assert [[row["epoch"] for row in part] for part in seen] == [[1], [1, 2], [1, 2, 3]]


def test_a_curve_that_cannot_be_written_stops_no_training(capsys):
    live.FOLDER.parent.mkdir()
    live.FOLDER.write_text("no folder")
    with live.drawn("teach", KEY):
        rows, _ = train()
    assert len(rows) == 3
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kdprune:")]
    assert len(told) == 1
    assert "its curve stops here" in told[0]


def test_other_stages_draw_nothing():
    with live.drawn("prune", KEY):
        train()
    assert not live.FOLDER.exists()


def test_studio_is_told_where_dvc_passes_its_token_on(monkeypatch):
    dvclive = pytest.importorskip("dvclive")
    made = []

    class Live:
        def __init__(self, folder, **settings):
            made.append((folder, settings, []))

        def log_metric(self, name, value):
            made[-1][2].append((self.step, name))

        def sync(self):
            made[-1][2].append("sync")

    monkeypatch.setattr(dvclive, "Live", Live)
    monkeypatch.setenv("DVC_STUDIO_TOKEN", "isat_x")
    with live.drawn("teach", KEY):
        train()
    ((folder, settings, calls),) = made
    assert folder == f".run/live/{KEY}"
    assert settings == {"resume": False, "save_dvc_exp": False, "dvcyaml": False}
    assert calls[:3] == [(1, "train_loss"), (1, "val_accuracy"), "sync"]
    assert calls.count("sync") == 3


def test_the_listener_hears_no_later_training():
    heard = []
    with followed(lambda *told: heard.append(told)):
        train()
    train()
    assert [epoch for _, epoch, _ in heard] == [1, 2, 3]
    assert {title for title, _, _ in heard} == {KEY}

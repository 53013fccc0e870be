"""Curves of running trainings grow by the epoch, survive a kill, and change no result."""

import subprocess
import sys

import pandas as pd
import pytest
import torch
import workspace
from conftest import some
from networks import dataset, tiny

from kdprune.distillation.none import Supervised
from kdprune.progress import followed
from kdprune.training.loop import fit
from kdprune.training.recipe import Recipe
from stages.runner import live

KEY = "cifar10-tiny"
FOLDER = live.FOLDER / KEY
FIGURES = ("train_loss", "val_accuracy")


class Killed(Exception):
    pass


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A repository, for DVCLive asks git for the revision."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STUDIO_TOKEN", raising=False)
    workspace.git(tmp_path, "init", "-q")
    workspace.git(tmp_path, "commit", "-q", "--allow-empty", "-m", "begin")
    return tmp_path


def train(**changes):
    task = Supervised(tiny("basic", seed=2))
    data = dataset()
    data = {name.removeprefix("train_"): value for name, value in data.items()}
    data = {name: value for name, value in data.items() if not name.startswith("test_")}
    recipe = {"epochs": 3, "batch_size": 16, "lr": 0.05, "momentum": 0.9, "nesterov": True}
    recipe |= {"weight_decay": 5e-4, "schedule": "onecycle"}
    checkpoint = changes.pop("checkpoint", None)
    recipe = Recipe(**recipe | changes)
    rows = fit(task, recipe, **data, checkpoint=checkpoint, title=KEY)
    return rows, task.state_dict()


def curve(figure: str) -> list[tuple[int, float]]:
    table = pd.read_csv(FOLDER / "plots/metrics" / f"{figure}.tsv", sep="\t")
    return list(zip(table.step, table[figure], strict=True))


def steps() -> list[int]:
    found = {figure: [step for step, _ in curve(figure)] for figure in FIGURES}
    assert len(set(map(tuple, found.values()))) == 1
    return found["train_loss"]


def test_curves_grow_by_the_epoch_and_go_with_their_stage():
    seen = []
    with live.drawn("teach", KEY), followed(lambda *_: seen.append(steps())):
        rows, _ = train()
        for figure in FIGURES:
            wanted = [(row["epoch"], pytest.approx(row[figure])) for row in rows]
            assert curve(figure) == wanted
    assert seen == [[1], [1, 2], [1, 2, 3]]
    assert not list(live.FOLDER.iterdir())


def test_results_are_the_same_without():
    bare, weights = train()
    with live.drawn("distill", KEY):
        rows, drawn = train()
    assert rows == bare
    assert all(torch.equal(weights[name], drawn[name]) for name in some(weights))


def test_a_killed_training_goes_on_from_its_curves(project):
    """Killed between an epoch's point and its checkpoint, the training repeats that epoch."""

    def kill(_, epoch, figures):
        if epoch == 2:
            raise Killed

    file = project / "unfinished"
    with pytest.raises(Killed), live.drawn("teach", KEY), followed(kill):
        train(checkpoint=file)
    assert steps() == [1, 2]
    with live.drawn("teach", KEY):
        rows, _ = train(checkpoint=file)
        assert steps() == [1, 2, 3]
        assert curve("train_loss")[0] == (1, pytest.approx(rows[0]["train_loss"]))


def test_a_run_from_the_start_forgets_older_curves():
    folder = FOLDER / "plots/metrics"
    folder.mkdir(parents=True)
    (folder / "train_loss.tsv").write_text("step\ttrain_loss\n1\t9\n7\t9\n")
    seen = []
    with live.drawn("teach", KEY), followed(lambda *_: seen.append(steps())):
        train()
    assert seen == [[1], [1, 2], [1, 2, 3]]


def test_curves_that_cannot_be_written_stop_no_training(capsys):
    live.FOLDER.parent.mkdir()
    live.FOLDER.write_text("no folder")
    with live.drawn("teach", KEY):
        rows, _ = train()
    assert len(rows) == 3
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("kdprune:")]
    assert len(told) == 1
    assert "its curves stop here" in told[0]


def test_other_stages_draw_nothing():
    with live.drawn("prune", KEY):
        train()
    assert not live.FOLDER.exists()


def test_dvc_draws_them_and_says_nothing_of_an_empty_folder(project, root):
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q"], check=True)
    described = (root / "dvc.yaml").read_text()
    assert described.count("  - plots/live:") == 1
    (project / "dvc.yaml").write_text("plots:\n" + described[described.index("  - plots/live:") :])
    (project / ".dvcignore").write_text((root / ".dvcignore").read_text())
    live.FOLDER.mkdir(parents=True)
    (live.FOLDER / ".gitkeep").touch()

    def shown() -> tuple[list[str], str]:
        done = subprocess.run([*dvc, "plots", "show", "--json"], capture_output=True, text=True)
        assert done.returncode == 0
        found = [figure for figure in FIGURES if f"{KEY}/plots/metrics/{figure}.tsv" in done.stdout]
        return found, done.stderr

    assert shown() == ([], "")
    with live.drawn("teach", KEY):
        train()
        assert shown() == (list(FIGURES), "")


def test_studio_is_told_where_dvc_passes_its_token_on(tmp_path, monkeypatch):
    import dvclive

    made = []

    class Live:
        def __init__(self, folder, **settings):
            made.append((folder, settings, []))

            self.metrics_file = tmp_path / "metrics.json"

        def log_metric(self, name, value):
            made[-1][2].append((self.step, name))

        def sync(self):
            self.metrics_file.touch()
            made[-1][2].append("sync")

        def end(self):
            made[-1][2].append("end")

    monkeypatch.setattr(dvclive, "Live", Live)
    monkeypatch.setenv("DVC_STUDIO_TOKEN", "isat_x")
    with live.drawn("teach", KEY):
        train()
    ((folder, settings, calls),) = made
    assert folder == str(FOLDER)
    assert settings == {"save_dvc_exp": False, "dvcyaml": False}
    assert calls[:3] == [(1, "train_loss"), (1, "val_accuracy"), "sync"]
    assert calls.count("sync") == 3
    assert calls[-1] == "end"
    assert not (tmp_path / "metrics.json").exists()


def test_the_listener_hears_no_later_training():
    heard = []
    with followed(lambda *told: heard.append(told)):
        train()
    train()
    assert [epoch for _, epoch, _ in heard] == [1, 2, 3]
    assert {title for title, _, _ in heard} == {KEY}

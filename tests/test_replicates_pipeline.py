"""Replicates under the real DVC: each seed trains its own, and one more leaves the others alone."""

import json

import pandas as pd
import pytest
import workspace
from workspace import dvc, python

from kdprune import models

pytestmark = [pytest.mark.slow, pytest.mark.long]
PROFILE = """# @package _global_
profile: tiny
datasets: [cifar10]
pairs: [resnet10_16/resnet10_24]
data: {source: embedded}
teach: {epochs: 1, lr: 0.1, seed: [1, 2]}
prune:
  {method: weight, roles: [student], levels: [0.0, 0.5], seeds: 2, batchnorm: {images: 128},
   finetune: {epochs: 1, views: 1}}
breakpoints: {resamples: 100}
"""
PAIR = "cifar10-resnet10_16-resnet10_24-simkd"
VARIANCE = "variance@trainings"


def of(name: str) -> list[str]:
    """What training and pruning replicate `name` takes."""
    student = f"{PAIR}-s{name}"
    return [f"teach@cifar10-resnet10_16-s{name}", f"distill@{student}", f"prune@{student}-weight"]


def test_one_more_seed_runs_one_more_replicate(tmp_path):
    folder = workspace.make(tmp_path / "study", PROFILE)
    ran = dvc(folder, "repro", VARIANCE)
    assert sorted(ran) == sorted(["download@cifar10", *of("1"), *of("2"), "collect", VARIANCE])
    for key in ("teachers/cifar10-resnet10_16", f"students/{PAIR}"):
        files = [folder / f"models/{key}-s{name}.safetensors" for name in ("1", "2")]
        assert [models.load(file)[1]["seed"] for file in files] == [1, 2]
        assert files[0].read_bytes() != files[1].read_bytes()
    told = json.loads((folder / f"metrics/distill/{PAIR}-s2.json").read_text())
    assert told["training_seed"] == "2"
    split = pd.read_csv(folder / "metrics/variance.csv")
    assert (split[["n_pairs", "n_trainings", "n_seeds"]] == [1, 2, 2]).all(axis=None)

    python(folder, "conf/compose.py", "teach.seed=[1,2,3]")
    due = json.loads(python(folder, "-m", "dvc", "status", "--json").stdout)
    assert {*of("3"), "collect", VARIANCE} <= due.keys()
    assert not due.keys() & {*of("1"), *of("2"), "download@cifar10"}
    assert sorted(dvc(folder, "repro", VARIANCE)) == sorted([*of("3"), "collect", VARIANCE])
    split = pd.read_csv(folder / "metrics/variance.csv")
    assert (split.n_trainings == 3).all()

"""The real pipeline under the real DVC: it ends, repeats itself, and reruns only what changed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import workspace
from conftest import some
from workspace import COLLECTING, MEASURED, SWEEPS, dvc, python

from kdprune import models

pytestmark = pytest.mark.slow
TIMED = {"metrics/measure.csv", "plots/deployment.html", "plots/deployment.md"}  # of measure
FORCED = [
    ("teach", "cifar10-resnet10_16"),
    ("distill", "cifar10-resnet10_16-densenet21_12-simkd"),
    ("prune", "cifar10-densenet21_12-channel"),
    ("prune", "cifar10-densenet21_12-resnet10_16-simkd-weight"),
    ("measure", "cifar10-densenet21_12"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace, through a path with spaces, in which the pipeline has run once."""
    return workspace.committed(tmp_path_factory)


def test_every_result_is_there(folder):
    for key in SWEEPS:
        for method in ("weight", "channel"):
            sweep = pd.read_csv(folder / f"metrics/sweeps/{key}-{method}.csv")
            assert sorted(zip(sweep.level, sweep.seed, strict=True)) == [
                (level, seed) for level in (0.0, 0.5) for seed in (0, 1)
            ]
            assert (
                not sweep[["val_accuracy", "test_accuracy", "nonzero_params"]].isna().any(axis=None)
            )
    for name in ("breakpoints", "efficiency", "significance"):
        assert json.loads((folder / f"metrics/{name}.json").read_text())
    measured = pd.read_csv(folder / "metrics/measure.csv")
    assert set(measured.method) <= {"none", "weight", "channel"}
    unpruned = measured[measured.method == "none"].groupby(["runtime", "batch"]).size()
    assert (unpruned == len(SWEEPS)).all()
    assert "(n = 4 networks)" in (folder / "plots/deployment.md").read_text()
    for name in ("accuracy", "efficiency", "layers", "pairs"):
        assert "</svg>" in (folder / f"plots/{name}.svg").read_text()


def test_a_student_loads_from_its_file_alone(folder, tmp_path):
    file = folder / "models/students/cifar10-resnet10_16-densenet21_12-simkd.safetensors"
    network, metadata = models.load(file)
    assert metadata["student"] == "densenet21_12"
    assert network.get_classifier().out_features == 10


def test_numbers_fit_a_terminal(folder):
    lines = python(folder, "-m", "dvc", "metrics", "show").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["Path", "metrics/summary/cifar10.json"]
    assert max(map(len, lines)) <= 120


def test_again_does_nothing(folder):
    assert dvc(folder, "repro") == []


@pytest.mark.long  # in CI, tests/test_run.py holds one study against another, byte for byte
def test_forced_again_gives_the_same_bytes(folder):
    before = (folder / "dvc.lock").read_text()
    again = [f"{stage}@{key}" for stage, key in FORCED]
    assert dvc(folder, "repro", "--force", "-s", *again) == again
    assert (folder / "dvc.lock").read_text() == before
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert {line[3:] for line in changed.stdout.splitlines()} <= TIMED
    workspace.git(folder, "checkout", "-q", "--", ".")
    assert not TIMED & set(re.findall(r"[\w/.]+", before))  # no file that varies is hashed


def test_cold_stages_give_the_same_bytes(folder):
    table = folder / "results/prune/cifar10-resnet10_16-weight/sweep.csv"
    before = table.read_bytes()
    python(folder, "-m", "stages", "prune", "cifar10-resnet10_16-weight", KDPRUNE_WARM="0")
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["prune.method=weight"], ["collect", *COLLECTING, *MEASURED]),
        pytest.param(["efficiency.w1=2"], COLLECTING[1:], marks=pytest.mark.long),
        pytest.param(
            ["prune.method=both", "prune.channel.mode=mask"],
            [f"prune@{key}-channel" for key in sorted(SWEEPS)]
            + ["collect", *COLLECTING, *MEASURED],
            marks=pytest.mark.long,
        ),
        pytest.param(["breakpoints.tolerance=5"], [*COLLECTING, *MEASURED], marks=pytest.mark.long),
    ],
    ids=lambda value: value[0] if "=" in value[0] else "",
)
def test_an_experiment_reruns_only_what_changed(folder, changes, expected):
    settings = [item for change in changes for item in ("-S", change)]
    breakpoints = folder / "metrics/breakpoints.csv"
    before = breakpoints.read_bytes()
    ran = dvc(folder, "exp", "run", *settings)
    if "breakpoints" in expected and breakpoints.read_bytes() == before:  # of other sweeps, even so
        follows = {"efficiency", "significance", "summary@cifar10"}
        expected = [name for name in expected if name not in follows]
    workspace.git(folder, "checkout", "-q", "--", ".")
    assert sorted(ran) == sorted(expected)


def test_experiments_fit_a_terminal(folder):
    """`make experiments` and `make differences`, as docs/how-to/compare.md has them."""
    listed = python(folder, "-m", "dvc", "exp", "list", "--name-only").stdout.split()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settled = ["make", "-s", "-o", "setup"]  # the environment is this one
    targets = [["differences", "A=HEAD", f"B={name}"] for name in some(listed)]
    told = []
    for target in (["experiments"], *targets):
        done = subprocess.run(
            [*settled, *target],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert max(map(len, some(done.stdout.splitlines()))) <= 120
        assert "grid." not in done.stdout
        told.append(done.stdout)
    experiments, *differences = told
    assert "cifar10" in experiments
    same = "no parameter or metric differs\n"  # of an experiment that gave what HEAD has
    assert all("params.yaml" in text or text == same for text in differences)
    assert any("cifar10" in text for text in differences)  # one changed what the summary holds
    name = listed[0]
    assert "WARNING" not in python(folder, "-m", "dvc", "plots", "diff", "HEAD", name).stderr


def test_a_renamed_project_keeps_working(folder):
    """Its new name has all that a shell would take for its own."""
    renamed = folder.rename(folder.parent / 'it\'s; $(touch hacked) & "<é>" | `more`')
    try:
        assert python(renamed, "-m", "stages.runner.mend").stderr == ""
        assert dvc(renamed, "repro") == []
        forced = "prune@cifar10-resnet10_16-weight"
        assert dvc(renamed, "repro", "--force", "-s", forced) == [forced]
        assert not list(folder.parent.rglob("hacked"))
        workspace.git(renamed, "diff", "--exit-code")
    finally:
        renamed.rename(folder)

"""The real pipeline under the real DVC: it ends, repeats itself, and reruns only what changed."""

import json
import re
import subprocess

import pandas as pd
import pytest
import workspace
from workspace import dvc, python

from kdprune import models

pytestmark = pytest.mark.slow
COLLECTING = ["breakpoints", "efficiency", "significance", "summary@cifar10", "report"]
TIMED = {"metrics/measure.csv", "plots/deployment.html", "plots/deployment.md"}  # of measure
SWEEPS = {
    "cifar10-resnet10_16",
    "cifar10-densenet21_12",
    "cifar10-resnet10_16-densenet21_12-simkd",
    "cifar10-densenet21_12-resnet10_16-simkd",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace, through a path with spaces, in which the pipeline has run once."""
    made = workspace.make(tmp_path_factory.mktemp("a folder with spaces"))
    ran = dvc(made, "repro")
    assert len(ran) == 1 + 2 + 2 + 8 + 6
    workspace.commit(made, "results")
    return made


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
    assert (measured[measured.method == "none"].groupby("batch").size() == len(SWEEPS)).all()
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


def test_forced_again_gives_the_same_bytes(folder):
    before = (folder / "dvc.lock").read_text()
    assert len(dvc(folder, "repro", "--force")) == 19
    assert (folder / "dvc.lock").read_text() == before
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert {line[3:] for line in changed.stdout.splitlines()} <= TIMED
    workspace.git(folder, "checkout", "-q", "--", ".")
    assert not TIMED & set(re.findall(r"[\w/.]+", before))  # no file that varies is hashed


def test_cold_stages_give_the_same_bytes(folder):
    before = (folder / "metrics/sweeps/cifar10-resnet10_16-weight.csv").read_bytes()
    python(folder, "-m", "stages", "prune", "cifar10-resnet10_16-weight", KDPRUNE_WARM="0")
    assert (folder / "metrics/sweeps/cifar10-resnet10_16-weight.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["prune.method=weight"], [*COLLECTING, "measure"]),
        (["efficiency.w1=2"], COLLECTING[1:]),
        (
            ["prune.method=both", "prune.channel.mode=mask"],
            [f"prune@{key}-channel" for key in sorted(SWEEPS)] + [*COLLECTING, "measure"],
        ),
        (["breakpoints.tolerance=5"], [*COLLECTING, "measure"]),
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


def test_branches_are_compared_without_any_cache(folder, tmp_path):
    workspace.git(folder, "checkout", "-q", "-b", "doubled")
    dvc(folder, "exp", "run", "-S", "efficiency.w1=1")
    workspace.commit(folder, "doubled")
    workspace.git(folder, "checkout", "-q", "main")
    clone = tmp_path / "clone"
    workspace.git(folder, "clone", "-q", str(folder), str(clone))
    difference = ("-m", "dvc", "metrics", "diff", "--json", "--all")
    between = ("origin/main", "origin/doubled")
    shown = json.loads(python(clone, *difference, *between).stdout)["metrics/summary/cifar10.json"]
    main = json.loads((folder / "metrics/summary/cifar10.json").read_text())
    assert {name: item["old"] for name, item in shown.items()} == main
    file = "metrics/efficiency.json"
    detailed = python(clone, *difference, "--targets", file, "--", *between).stdout
    differences = json.loads(detailed)[file]
    found = {name: item for name, item in differences.items() if name.endswith("efficiency")}
    assert found
    for item in found.values():
        assert item["new"] == pytest.approx(2 * item["old"], rel=1e-5)

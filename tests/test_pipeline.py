"""The real pipeline under the real DVC: it ends, repeats itself, and reruns only what changed."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import workspace
import yaml
from conftest import some
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
MEASURED = [f"measure@{key}" for key in SWEEPS]
FORCED = [
    ("teach", "cifar10-resnet10_16"),
    ("distill", "cifar10-resnet10_16-densenet21_12-simkd"),
    ("prune", "cifar10-densenet21_12-channel"),
    ("prune", "cifar10-densenet21_12-resnet10_16-simkd-weight"),
    ("measure", "cifar10-densenet21_12"),
]
TRAINING = ("teach@", "distill@", "prune@")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace, through a path with spaces, in which the pipeline has run once."""
    place = tmp_path_factory.mktemp("pipeline") / "a folder with spaces"
    made, ran = workspace.reproduced(tmp_path_factory, place)
    assert len(ran) == 1 + 2 + 2 + 8 + 1 + 5 + 4
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
        (["efficiency.w1=2"], COLLECTING[1:]),
        (
            ["prune.method=both", "prune.channel.mode=mask"],
            [f"prune@{key}-channel" for key in sorted(SWEEPS)]
            + ["collect", *COLLECTING, *MEASURED],
        ),
        (["breakpoints.tolerance=5"], [*COLLECTING, *MEASURED]),
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
    for item in some(found.values()):
        assert item["new"] == pytest.approx(2 * item["old"], rel=1e-5)


def test_every_instance_that_takes_time_is_in_the_run_cache(folder):
    files = (folder / ".dvc/cache/runs").glob("*/*/*")
    known = {yaml.safe_load(path.read_text())["cmd"] for path in files}
    values = yaml.safe_load((folder / "params.yaml").read_text())
    made = {"download": "datasets", "teach": "teachers", "distill": "students", "prune": "sweeps"}
    for stage, part in made.items():
        for key in some(values["grid"][part]):
            assert f"python -m stages {stage} {key}" in known


def test_another_processors_lock_trains_nothing(folder):
    """The lock's networks are another machine's; this one's are found again by the run-cache."""
    lock = folder / "dvc.lock"
    ours = lock.read_text()
    theirs = yaml.safe_load(ours)
    hashes = {
        out["md5"]
        for name, stage in theirs["stages"].items()
        if name.startswith(TRAINING)
        for out in stage["outs"]
    }
    planted = ours
    for md5 in hashes:
        planted = planted.replace(md5, hashlib.md5(md5.encode()).hexdigest() + md5[32:])
    lock.write_text(planted)
    workspace.commit(folder, "trained elsewhere")
    told = python(folder, "-m", "stages.runner.mend").stderr
    assert "are another machine's" in told
    assert not [name for name in dvc(folder, "repro") if name.startswith(TRAINING)]
    assert yaml.safe_load(lock.read_text()) == yaml.safe_load(ours)
    workspace.git(folder, "restore", ".")
    subprocess.run([sys.executable, "-m", "dvc", "checkout", "-q"], cwd=folder, check=False)
    python(folder, "-m", "stages.runner.mend")
    ran = dvc(folder, "exp", "run", "-S", "breakpoints.tolerance=2")
    assert "breakpoints" in ran
    assert not [name for name in ran if name.startswith(TRAINING)]
    workspace.git(folder, "reset", "-q", "--hard", "HEAD~1")
    dvc(folder, "checkout")


def test_leftovers_of_a_larger_grid_vanish(folder):
    ran = dvc(folder, "exp", "run", "-S", "distill.method=[simkd,none]")
    assert len([name for name in ran if name.startswith("distill@")]) == 2
    assert len(list((folder / "metrics/distill").iterdir())) == 4
    assert not [name for name in dvc(folder, "exp", "run") if name.startswith(TRAINING)]
    assert len(list((folder / "metrics/distill").iterdir())) == 2
    assert "of another grid" in python(folder, "-m", "stages.runner.mend").stderr  # `make repro`
    status = ["git", "status", "--porcelain"]
    left = subprocess.run(status, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert left == ""
    (folder / "results/prune/a stranger").mkdir()
    assert dvc(folder, "repro") == []  # to DVC, a folder without files is nothing
    left = subprocess.run(status, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert left == ""


def test_a_clone_without_cache_and_remote_analyses_the_tables(folder, tmp_path):
    """As docs/how-to/compare.md has it; here in a subfolder of another repository."""
    clone = cloned(folder, tmp_path / "clone")
    shutil.rmtree(clone / ".git")
    workspace.git(tmp_path, "init", "-q")
    workspace.git(tmp_path, "config", "user.name", "test")
    workspace.git(tmp_path, "config", "user.email", "test@localhost")
    workspace.commit(tmp_path, "a project among others")
    wider = ("-S", "breakpoints.tolerance=2")
    ran = dvc(clone, "exp", "run", "--downstream", *wider, "breakpoints")
    assert sorted(ran) == sorted([*COLLECTING, *MEASURED])
    assert (clone / "plots/report.md").read_text() != (folder / "plots/report.md").read_text()
    assert not list(clone.glob("models/*/*"))
    measured = pd.read_csv(clone / "metrics/measure.csv")
    assert (measured[measured.method == "none"].groupby("batch").size() == len(SWEEPS)).all()


def test_a_clone_with_a_remote_alone_trains_nothing(folder, tmp_path):
    dvc(folder, "remote", "add", "--local", "-d", "shared", str(tmp_path / "remote"))
    dvc(folder, "push", "-q", "--run-cache")
    clone = cloned(folder, tmp_path / "clone")
    dvc(clone, "remote", "add", "--local", "-d", "shared", str(tmp_path / "remote"))
    assert dvc(clone, "repro", "--pull") == []
    ran = dvc(clone, "exp", "run", "--pull", "-S", "breakpoints.tolerance=2")
    assert "breakpoints" in ran
    assert not [name for name in ran if name.startswith(TRAINING)]
    workspace.git(clone, "restore", ".")
    found = list(clone.glob("models/*/*.safetensors"))
    assert len(found) == len(SWEEPS)
    for file in found:
        assert file.read_bytes() == (folder / file.relative_to(clone)).read_bytes()
    (folder / ".dvc/config.local").unlink()


def test_a_job_in_its_own_clone_shares_its_work_by_the_cache(folder, tmp_path):
    """As docs/how-to/cluster.md has it."""
    job = cloned(folder, tmp_path / "job")
    python(job, "-m", "dvc", "config", "--local", "cache.dir", str(folder / ".dvc/cache"))
    python(job, "-m", "dvc", "checkout", "-q", "--allow-missing")
    sweep = "prune@cifar10-resnet10_16-weight"
    for place, expected in ((job, [sweep]), (folder, [])):  # here it is restored, not computed
        python(place, "conf/compose.py", "prune.seeds=1")
        assert dvc(place, "repro", "-s", sweep) == expected
    table = Path("results/prune/cifar10-resnet10_16-weight/sweep.csv")
    assert (folder / table).read_bytes() == (job / table).read_bytes()
    workspace.git(folder, "restore", ".")
    dvc(folder, "checkout")


def cloned(folder, clone):
    """A clone that may commit, as `dvc exp run` does."""
    workspace.git(folder, "clone", "-q", str(folder), str(clone))
    workspace.git(clone, "config", "user.name", "test")
    workspace.git(clone, "config", "user.email", "test@localhost")
    return clone


def interrupted(folder, *arguments):
    """Start `dvc exp run ARGUMENTS`, and end it once a teacher has kept an epoch; what it kept."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": "."}
    command = [sys.executable, "-m", "dvc", "exp", "run", *arguments]
    running = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    kept = folder / ".run/unfinished"
    known = {*kept.glob("*.ckpt")}
    try:
        deadline = time.monotonic() + 150
        while (
            time.monotonic() < deadline
            and running.poll() is None
            and {*kept.glob("*.ckpt")} <= known
        ):
            time.sleep(0.2)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGINT)
        said = running.communicate(timeout=90)[0].decode()
    found = {*kept.glob("*.ckpt")} - known
    assert found, said
    return found


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


def test_a_temporary_run_leaves_its_work_with_the_clone(folder):
    (kept,) = interrupted(folder, "--temp", "-S", "teach.epochs=200")
    assert kept.name.startswith("teach-")
    kept.unlink()


def test_an_interrupted_experiment_costs_the_next_nothing(folder):
    """The teachers of other epochs replace ours in the workspace, and it is killed."""
    for kept in interrupted(folder, "-S", "teach.epochs=300"):
        kept.unlink()
    ran = dvc(folder, "exp", "run", "-S", "breakpoints.tolerance=2")
    assert not [name for name in ran if name.startswith(TRAINING)]
    workspace.git(folder, "restore", ".")
    dvc(folder, "checkout")

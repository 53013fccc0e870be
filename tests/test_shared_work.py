"""What was trained once is found again: by experiments, clones, remotes, after an interruption."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
import workspace
import yaml
from conftest import some
from workspace import COLLECTING, MEASURED, SWEEPS, TRAINING, dvc, python

from kdprune.files import kept

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace, through a path with spaces, in which the pipeline has run once."""
    return workspace.committed(tmp_path_factory)


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


@pytest.mark.long
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


@pytest.mark.long
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
    unpruned = measured[measured.method == "none"].groupby(["runtime", "batch"]).size()
    assert (unpruned == len(SWEEPS)).all()


@pytest.mark.long
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
    command = [sys.executable, "-m", "dvc", "exp", "run", *arguments]
    running = subprocess.Popen(
        command,
        cwd=folder,
        env=workspace.environment(folder),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    place = folder / ".run/unfinished"
    known = {*place.glob("*.ckpt")}
    try:
        deadline = time.monotonic() + 150
        while (
            time.monotonic() < deadline
            and running.poll() is None
            and {*place.glob("*.ckpt")} <= known
        ):
            time.sleep(0.2)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGINT)
        said = running.communicate(timeout=90)[0].decode()
    found = {*place.glob("*.ckpt")} - known
    assert found, said
    return found


@pytest.mark.long
def test_a_temporary_run_leaves_its_work_with_the_clone(folder):
    (file,) = interrupted(folder, "--temp", "-S", "teach.epochs=200")
    assert file.name.startswith("teach-")
    file.unlink()


@pytest.mark.long
def test_an_interrupted_experiment_costs_the_next_nothing(folder):
    """The teachers of other epochs replace ours in the workspace, and it is killed."""
    for file in interrupted(folder, "-S", "teach.epochs=300"):
        file.unlink()
    ran = dvc(folder, "exp", "run", "-S", "breakpoints.tolerance=2")
    assert not [name for name in ran if name.startswith(TRAINING)]
    workspace.git(folder, "restore", ".")
    dvc(folder, "checkout")


def queued(folder, *arguments):
    """Run a command of DVC's task queue; return what it printed."""
    return python(folder, "-m", "dvc", "queue", *arguments).stdout


def begun(folder):
    """Start a worker of the queue, once the one before has ended; it would hold a pipe open."""
    environment = workspace.environment(folder)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    deadline = time.monotonic() + 60
    while "Running" not in queued(folder, "status"):
        assert time.monotonic() < deadline, queued(folder, "status")
        command = [sys.executable, "-m", "dvc", "queue", "start"]
        subprocess.run(command, cwd=folder, env=environment, check=True, **quiet)
        time.sleep(3)


def epochs(path):
    """How many epochs an unfinished training has."""
    return len(torch.load(io.BytesIO(kept(path)), weights_only=True)["rows"])


def killed(folder):
    """Kill the task of the queue that runs, and wait for its end."""
    ran = queued(folder, "status")
    running = [line.split()[0] for line in ran.splitlines() if "Running" in line]
    assert len(running) == 1, ran
    (name,) = running
    queued(folder, "kill", name)
    deadline = time.monotonic() + 60
    while "Running" in queued(folder, "status") and time.monotonic() < deadline:
        time.sleep(0.5)


@pytest.mark.long
def test_a_killed_task_of_the_queue_goes_on_when_queued_again(folder):
    longer = ["exp", "run", "--queue", "-S", "teach.epochs=400", "-S", "pairs=[resnet10_16/none]"]
    place = folder / ".run/unfinished"
    known, counts = {*place.glob("*.ckpt")}, [0]
    for _ in range(2):
        dvc(folder, *longer)
        begun(folder)
        last, deadline = counts[-1], time.monotonic() + 150
        while counts[-1] <= last:
            assert time.monotonic() < deadline, queued(folder, "status")
            time.sleep(0.05)
            counts += [epochs(path) for path in {*place.glob("*.ckpt")} - known]
        killed(folder)
        counts += [epochs(path) for path in {*place.glob("*.ckpt")} - known]  # up to the kill
    assert counts == sorted(counts)  # never from the beginning
    assert len({*place.glob("*.ckpt")} - known) == 1
    queued(folder, "remove", "--all")

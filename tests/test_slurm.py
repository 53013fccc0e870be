"""The script for Slurm, run by a stand-in that does with its jobs what Slurm documents."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import workspace
import yaml
from conftest import ROOT
from slurm_standin import Slurm, appears

from kdprune.errors import KdpruneError
from kdprune.running import here, slurm
from stages.runner import only

NAMES = ["teach@a", "teach@b", "prune@a", "prune@b"]
PROJECT = (
    *("stages/__init__.py", "stages/__main__.py", "stages/runner/__init__.py"),
    *("stages/runner/only.py", "stages/runner/run.py", "stages/runner/stages.py"),
)
# In the place of training: fails where a parameter says so; waits at its first checkpoint
WORK = """
import os, pathlib, time, yaml
def run(arguments, *, start):
    name = "@".join(arguments)
    unfinished = pathlib.Path(os.environ["KDPRUNE_UNFINISHED"])
    unfinished.mkdir(parents=True, exist_ok=True)
    with open(unfinished / "ran", "a") as file:
        print(name, file=file)
    how = yaml.safe_load(open("params.yaml"))["how"].get(arguments[-1])
    if how == "fails" and arguments[0] == "teach":
        print("kdprune: params.yaml: how: is wrong")
        return 2
    if how == "is long" and not (unfinished / name).exists():
        (unfinished / "new").write_text(str(os.getpid()))
        (unfinished / "new").rename(unfinished / name)
        time.sleep(60)
    out = pathlib.Path("results") / "-".join(arguments)
    out.parent.mkdir(exist_ok=True)
    out.write_text(open("stages/code.txt").read() + os.environ.get("KDPRUNE_DEVICE", ""))
    return 0
"""


def _stage(kind: str, *deps: str, **more: object) -> dict:
    one = {"cmd": f"python -m stages {kind} ${{item}}", "deps": ["stages/code.txt", *deps]}
    return {"foreach": "${grid}", "do": {**one, "outs": [f"results/{kind}-${{item}}"], **more}}


PIPELINE = {
    "teach": _stage("teach", params=["how.${item}"]),
    "prune": _stage("prune", "results/teach-${item}"),
    "measure": _stage("measure", "results/prune-${item}"),
    "collect": {
        "cmd": "python -m stages collect",
        "deps": ["results/prune-a", "results/prune-b"],
        "outs": ["results/collect"],
    },
}


class Study:
    """A small study in git and DVC, with a cache that all share, and a cluster."""

    def __init__(self, folder: Path) -> None:
        self.slurm, self.cache = Slurm(folder), folder / "the ca'che"
        self.folder = folder / 'a "study" of $HOME\'s `date` 100%d'
        for name in (
            *PROJECT,
            *(str(file.relative_to(ROOT)) for file in ROOT.glob("kdprune/*.py")),
        ):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        (self.folder / ".dvc").mkdir()
        self.write("stages/runner/warm.py", WORK)
        self.write(".dvc/config", "[core]\n    analytics = false\n")
        self.write(".dvc/config.local", f'[cache]\n    dir = "{self.cache}"\n')
        self.write(".gitignore", "/results/\n/.run/\n/.dvc/tmp/\n/.dvc/config.local\n__pycache__\n")
        self.write("stages/code.txt", "old")
        self.write("dvc.yaml", yaml.safe_dump({"stages": PIPELINE}))
        self.how(a="is short", b="is short")
        workspace.git(self.folder, "init", "-q", "-b", "main")
        workspace.commit(self.folder, "one")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def how(self, **kinds: str) -> None:
        self.write("params.yaml", yaml.safe_dump({"grid": [*kinds], "how": kinds}))

    def submit(self, names=NAMES, gpu="", **variables):
        """Write the script into the study, where users do, and run it."""
        options = {"gpu": gpu, "name": "study.sh"}
        python = Path(sys.executable)
        given = {"study": self.folder, "cache": self.cache, "python": python, "options": options}
        self.write("study.sh", slurm.script(names, **given))
        return self.slurm.submit(self.folder / "study.sh", **variables)

    def log(self, name: str) -> str:
        (file,) = (self.folder / ".run/slurm").glob(f"{name}.txt")
        return file.read_text()

    def ran(self) -> list[str]:
        return (self.folder / ".run/unfinished/ran").read_text().split()

    def works(self, within: float) -> bool:
        """Whether the stage that left a checkpoint is still at work after so many seconds."""
        command = Path("/proc", (self.folder / ".run/unfinished/teach@a").read_text(), "cmdline")
        until = time.monotonic() + within
        while command.exists() and command.read_bytes():  # empty of one that nobody has reaped
            if time.monotonic() > until:
                return True
            time.sleep(0.02)
        return False


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)


def test_arrays_wait_for_those_before_them_and_collecting_for_all(study):
    told = study.submit(["download@d", *NAMES], "--gpus=1", CLUSTER=";north", SBATCH_OPTIONS="-t 9")
    assert told.returncode == 0, told.stderr
    listed = [study.slurm.options(job) for job in study.slurm.jobs()]
    jobs = {options["job-name"]: options for options in listed}
    assert list(jobs) == ["download", "teach", "prune", "collect"]
    waits = [options.get("dependency") for options in jobs.values()]
    assert waits == [None, "afterany:101", "afterany:102", "afterany:103"]
    assert [options.get("gpus") for options in jobs.values()] == [None, "1", "1", "1"]
    assert [options.get("array") for options in jobs.values()] == ["0-0", "0-1", "0-1", None]
    assert all({"requeue", "-t", "9"} <= {*options} for options in jobs.values())
    assert "teach: job 102, 2 task(s), log .run/slurm/teach-102" in told.stdout
    assert told.stdout.splitlines()[-1] == "take all back by: scancel 101 102 103 104"
    for job in study.slurm.jobs():
        subprocess.run(["bash", "-n", study.slurm.spool / f"{job}.sh"], check=True)


def test_what_was_submitted_before_a_refusal_is_told(study):
    told = study.submit(REFUSE_AFTER="1")
    assert told.returncode == 2
    assert "Invalid account\nsbatch refused prune; nothing after it is submitted\n" in told.stderr
    assert told.stderr.endswith("take it back by: scancel 101\n")


@pytest.mark.parametrize(
    ("file", "line"),
    [("stages/code.txt", " M stages/code.txt"), ("stages/new.py", "?? stages/new.py")],
)
def test_what_is_not_committed_is_refused(study, file, line):
    study.write(file, "")
    told = study.submit()
    assert told.returncode == 2
    assert told.stderr.splitlines()[1:] == [line]
    assert not study.slurm.jobs()


def test_what_an_earlier_collecting_wrote_is_not_refused(study):
    study.write("dvc.lock", "schema: '2.0'\n")
    assert study.submit().returncode == 0


def test_a_line_break_in_a_path_is_refused(tmp_path):
    options = {"gpu": "", "name": "study.sh"}
    with pytest.raises(KdpruneError, match=r"^--slurm: study '/a\\nb': has a line break"):
        slurm.script(NAMES, study=Path("/a\nb"), cache=tmp_path, python=tmp_path, options=options)


@pytest.mark.slow
def test_a_failure_takes_away_only_what_depends_on_it(study):
    study.how(a="is short", b="fails")
    workspace.commit(study.folder, "a fault")
    assert study.submit(KDPRUNE_DEVICE="c p").returncode == 0
    study.slurm.run()
    assert study.slurm.states == {
        "101": {"0": "OK", "1": "FAILED"},
        "102": {"0": "OK", "1": "FAILED"},
        "103": {"": "FAILED"},
    }
    assert "how: is wrong" in study.log("teach-101_1")
    alone = "kdprune: teach@b: the cache has no result of it, and this job runs prune@b alone; see "
    assert alone in study.log("prune-102_1")
    assert study.log("collect-*").count("\nkdprune: ") == 1
    assert "kdprune: teach@b: the cache has no result of it, and this job only collects; see " in (
        study.log("collect-*")
    )
    # each once: what the cache has is restored, and what can be collected is
    assert sorted(study.ran()) == ["measure@a", "prune@a", "teach@a", "teach@b"]
    assert (study.folder / "results/prune-a").read_text() == "oldc p"
    assert not list(study.slurm.scratch.glob("kdprune-*"))

    study.how(a="is short", b="is short")
    workspace.git(study.folder, "commit", "-q", "-m", "mended", "params.yaml")
    told = study.submit(["teach@b", "prune@b"])
    assert told.returncode == 0, told.stderr
    study.slurm.run()
    assert study.slurm.states["106"] == {"": "OK"}
    assert sorted(study.ran()[4:]) == ["collect", "measure@b", "prune@b", "teach@b"]
    assert "how: is wrong" in study.log("teach-101_1")


@pytest.mark.slow
def test_a_task_whose_time_ends_is_queued_again_and_goes_on(study):
    study.how(a="is long")
    workspace.commit(study.folder, "long")
    assert study.submit(["teach@a"]).returncode == 0
    task = study.slurm.start("101", "0")
    appears(study.folder / ".run/unfinished/teach@a")
    assert study.works(within=0)
    study.slurm.near_its_limit("101", task)
    assert task.wait(10) == 143
    assert not study.works(within=2)
    assert study.slurm.requeued() == ["requeue 101_0"]
    assert study.slurm.start("101", "0", restarts=1).wait(30) == 0
    log = study.log("teach-101_0")
    assert log.index("after 0 restarts") < log.index("queued again") < log.index("after 1 restarts")
    assert study.ran() == ["teach@a", "teach@a"]


@pytest.mark.slow
@pytest.mark.parametrize(("restarts", "sent", "status"), [(0, "TERM", 143), (50, "limit", 1)])
def test_a_task_taken_back_or_without_end_is_not_queued_again(study, restarts, sent, status):
    """TERM is what scancel sends; the other is a task that gets nowhere."""
    study.how(a="is long")
    workspace.commit(study.folder, "long")
    assert study.submit(["teach@a"]).returncode == 0
    task = study.slurm.start("101", "0", restarts=restarts)
    appears(study.folder / ".run/unfinished/teach@a")
    if sent == "TERM":
        task.send_signal(signal.SIGTERM)
    else:
        study.slurm.near_its_limit("101", task)
    assert task.wait(10) == status
    assert not study.works(within=2)
    assert study.slurm.requeued() == []


@pytest.mark.slow
def test_a_task_runs_what_was_committed_when_it_was_submitted(study):
    assert study.submit(["teach@a"]).returncode == 0
    study.write("stages/code.txt", "new")
    workspace.git(study.folder, "add", "stages/code.txt")
    workspace.git(study.folder, "commit", "-q", "--amend", "-m", "another")
    study.slurm.run()
    assert study.slurm.states == {"101": {"0": "OK"}, "102": {"": "FAILED"}}
    made = [file.read_text() for file in (study.cache / "files/md5").glob("*/*")]
    assert made == ["old"]
    assert study.ran() == ["teach@a"]
    collected = study.log("collect-*")
    assert "the study is no longer what was submitted, " in collected
    assert "this job only collects" in collected


@pytest.mark.parametrize(
    ("variable", "stage", "told"),
    [
        ("", ["teach", "x"], ""),
        ("teach@x", ["teach", "x"], ""),
        ("teach@x", ["teach", "xy"], "teach@xy: .* this job runs teach@x alone; .* submit again$"),
        ("collect", ["download", "x"], "download@x: .* this job only collects; .* submit again$"),
        ("collect", ["measure", "x"], ""),
        ("collect", ["collect"], ""),
    ],
)
def test_of_what_is_spread_a_job_runs_its_own_instance_alone(monkeypatch, variable, stage, told):
    monkeypatch.setenv("KDPRUNE_ONLY", variable)
    said = only.refused(stage)
    assert bool(said) == bool(told)
    assert not told or re.match(told, said)


def test_only_a_script_of_its_own_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(here, "cache", lambda: tmp_path)
    script, params = Path("study.sh"), Path("params.yaml")
    script.touch()  # as mktemp leaves it
    for names in (NAMES[:1], NAMES):
        slurm.write(script, names, gpu=False)
    assert NAMES[-1] in script.read_text()
    params.write_text("teach: {}\n")
    Path("folder").mkdir()
    os.mkfifo("pipe")
    for taken in (params, Path("folder"), Path("pipe")):
        with pytest.raises(KdpruneError, match=rf"^--slurm {taken}: .* name another file$"):
            slurm.write(taken, NAMES, gpu=False)
    assert params.read_text() == "teach: {}\n"

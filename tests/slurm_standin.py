"""A stand-in for Slurm: sbatch queues, and `Slurm.run` runs what is queued as Slurm documents it.

Jobs come in order of submission, so those that one depends on have ended. Of the environment of
sbatch a job has what --export=NONE leaves: nothing but what Slurm sets.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

QUEUE = """\
import json, os, pathlib, sys
spool = pathlib.Path({spool!r})
number = len(list(spool.glob("*.json")))
if number >= int(os.environ.get("REFUSE_AFTER", 99)):
    sys.exit("sbatch: error: Batch job submission failed: Invalid account")
job = str(101 + number)
(spool / (job + ".json")).write_text(json.dumps(sys.argv[1:]))
(spool / (job + ".sh")).write_bytes(sys.stdin.buffer.read())
print(job + os.environ.get("CLUSTER", ""))
"""
SBATCH = """#!/bin/sh
exec '{python}' '{spool}/queue.py' "$@"
"""
SCONTROL = """#!/bin/sh
echo "$*" >> '{spool}/scontrol.txt'
"""


class Slurm:
    """A spool of jobs: `states` says how each task has ended, "OK", "FAILED" or "CANCELLED"."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.spool, self.scratch = (folder / name for name in ("bin", "spool", "a disk"))
        for made in (self.bin, self.spool, self.scratch):
            made.mkdir()
        (self.spool / "queue.py").write_text(QUEUE.format(spool=str(self.spool)))
        for name, text in (("sbatch", SBATCH), ("scontrol", SCONTROL)):
            file = self.bin / name
            file.write_text(text.format(python=sys.executable, spool=str(self.spool)))
            file.chmod(0o755)
        self.states: dict[str, dict[str, str]] = {}

    def submit(self, script: Path, **variables: str) -> subprocess.CompletedProcess:
        """Run the script as a user does on a login node."""
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", script.name],
            cwd=script.parent,
            env={**os.environ, "PATH": path, **variables},
            capture_output=True,
            text=True,
        )

    def options(self, job: str) -> dict[str, str]:
        """The options of a job, without their dashes; a later one counts."""
        told = json.loads((self.spool / f"{job}.json").read_text())
        return dict(item.removeprefix("--").partition("=")[::2] for item in told)

    def jobs(self) -> list[str]:
        """All that was submitted, in order."""
        return sorted(file.stem for file in self.spool.glob("*.json"))

    def requeued(self) -> list[str]:
        """What scontrol was asked for."""
        file = self.spool / "scontrol.txt"
        return file.read_text().splitlines() if file.exists() else []

    def run(self) -> None:
        """Run whatever has not run yet."""
        for job in self.jobs():
            if job in self.states:
                continue
            options = self.options(job)
            kind, _, before = options.get("dependency", "").partition(":")
            if kind == "afterok" and {*self.states[before].values()} != {"OK"}:
                self.states[job] = {"": "CANCELLED"}  # Slurm's DependencyNeverSatisfied
                continue
            last = options.get("array", "").partition("-")[2]
            elements = [str(at) for at in range(int(last) + 1)] if last else [""]
            tasks = {at: self.start(job, at) for at in elements}
            ended = {at: task.wait(60) for at, task in tasks.items()}
            self.states[job] = {at: "FAILED" if status else "OK" for at, status in ended.items()}

    def start(self, job: str, at: str = "", restarts: int = 0) -> subprocess.Popen:
        """Begin a task."""
        options, own = self.options(job), f"{job}9{at}"
        log = options["output"].replace("%A", job).replace("%a", at).replace("%j", own)
        given = {"SLURM_JOB_ID": own, "SLURM_TMPDIR": str(self.scratch), "HOME": str(self.scratch)}
        if at:
            given |= {"SLURM_ARRAY_JOB_ID": job, "SLURM_ARRAY_TASK_ID": at}
        if restarts:
            given["SLURM_RESTART_COUNT"] = str(restarts)
        mode = {"append": "ab", "truncate": "wb"}[options.get("open-mode", "truncate")]
        with (Path(options["chdir"]) / log).open(mode) as file:
            return subprocess.Popen(
                ["bash", self.spool / f"{job}.sh"],
                cwd=options["chdir"],
                env={**given, "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def near_its_limit(self, job: str, task: subprocess.Popen) -> None:
        """Send the batch shell what --signal=B:NAME@SECONDS asks for."""
        kind, _, rest = self.options(job)["signal"].partition(":")
        assert kind == "B"
        task.send_signal(signal.Signals[f"SIG{rest.partition('@')[0]}"])


def appears(file: Path, within: float = 30.0) -> None:
    """Wait until a file is there."""
    until = time.monotonic() + within
    while not file.exists():
        assert time.monotonic() < until, f"{file} does not come"
        time.sleep(0.02)

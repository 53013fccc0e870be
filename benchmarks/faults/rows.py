"""A study that is broken on purpose, row by row of the table."""

import random
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

import workspace
import yaml

from faults import study
from faults.cases import Fault
from faults.run import Run
from faults.server import RATE, SlowServer


@dataclass
class Outcome:
    """One row: a fault in one kind of stage."""

    fault: str
    stage: str
    moments: int = 0
    survived: int = 0
    seconds: float = 0.0  # the most work lost
    again: int = 0  # the most epochs or levels computed twice after one moment
    problems: list[str] = field(default_factory=list)

    def close(self) -> "Outcome":
        """Settle what was survived."""
        if self.again > 1:
            self.problems.append(f"{self.again} epochs or levels were computed twice")
        self.survived = 0 if self.problems else self.moments
        return self


class Study:
    """A finished study: its folder, its results, its stages' seconds."""

    def __init__(self, folder: Path, server: SlowServer, *targets: str):
        self.folder, self.server = folder, server
        self.cut = 0  # how often DVC left a file of its own half-written
        run = self.run(*targets)
        if run.wait():
            raise RuntimeError(run.text())
        self.expected = study.results(folder)
        lock = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
        self.outputs = {
            name: tuple(out["path"] for out in entry.get("outs", []))
            for name, entry in lock.items()
        }
        begins = [(at, text) for at, text in run.lines if text.startswith("Running stage")]
        ends = [*(at for at, _ in begins[1:]), run.now()]
        self.seconds = {
            text.split("'")[1]: end - at for (at, text), end in zip(begins, ends, strict=True)
        }
        study.workspace.commit(folder, "results")
        self.pristine = folder.with_name("pristine")
        shutil.copytree(folder, self.pristine, ignore=shutil.ignore_patterns("*.sock"))

    def run(self, *targets: str) -> Run:
        """Start `dvc repro TARGETS`."""
        return Run(self.folder, self.server.url, *targets)

    def differences(self, expected: dict[str, str]) -> list[str]:
        """Return the results that are not as expected."""
        found = study.results(self.folder)
        return sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))

    def harmed(self, stage: str) -> list[str]:
        """Return the results of other stages that are not as they were."""
        own = ("dvc.lock", *self.outputs[stage])
        changed = self.differences(self.expected)
        kept = [name for name in changed if not name.startswith(own) and name[-5:] != ".part"]
        return [f"{name} was harmed" for name in kept]

    def ended(self, run: Run, expected: dict[str, str] | None = None) -> list[str]:
        """Return what is wrong with a run that should end well, in the same bytes."""
        status = run.wait()
        if status and self.mended(run):
            return self.ended(self.run(*run.targets), expected)
        if status:
            return [f"the next run ended with {status}: {run.text()[-600:]}"]
        return [f"{name} differs" for name in self.differences(expected or self.expected)]

    def mended(self, run: Run) -> bool:
        """Say whether a run met what DVC left half-written of its own, and it is whole again."""
        if "it was put back" in run.text():  # by the stage
            self.cut += 1
            return True
        mend = workspace.python(self.folder, "-m", "stages.runner.mend")  # as the page says
        self.cut += bool(mend.stderr)
        return bool(mend.stderr)

    def restore(self) -> None:
        """Begin anew from the undisturbed results, after a row that failed."""
        study.end(self.folder)
        shutil.rmtree(self.folder)
        shutil.copytree(self.pristine, self.folder)

    def disturb(self, fault: Fault, kind: str, rng: random.Random, moments: int) -> Outcome:
        """Let `fault` befall one stage `moments` times, then let it end, and compare."""
        stage, row = study.STAGES[kind], Outcome(fault.name, kind)
        study.forget(self.folder, stage)
        earlier: list = []
        for _ in range(6 * moments):
            if row.moments == moments:
                break
            fault.before(self.folder, stage, rng)
            had, run = arrived(self.folder), self.run(stage)
            at = fault.during(run, stage, self.seconds[stage], rng)
            run.wait()
            row.problems += fault.after(self.folder, run, stage)
            row.again = max(row.again, repeated(earlier, run.units(stage)))
            if at is None and run.wait() and self.mended(run):
                continue
            if at is None:  # it ended before: once more from the beginning
                row.problems += self.ended(run)
                study.forget(self.folder, stage)
                earlier = []
                continue
            row.moments += 1
            saved = (arrived(self.folder) - had) / RATE
            row.seconds = max(row.seconds, lost(run, stage, at) - saved)
            earlier = run.units(stage) or earlier
            row.problems += self.harmed(stage)
        run = self.run(stage)
        row.problems += self.ended(run)
        row.again = max(row.again, repeated(earlier, run.units(stage)))
        row.close()
        if row.problems:
            self.restore()
        return row


def arrived(folder: Path) -> int:
    """Return the bytes of an archive that are there."""
    return sum(file.stat().st_size for file in folder.glob(".run/downloads/*/*/*"))


def lost(run: Run, stage: str, at: float) -> float:
    """Return the seconds between what was last finished before `at` and `at`."""
    begin = run.until(f"^Running stage '{stage}'")
    if begin is None:
        return 0.0
    return max(0.0, at - max([begin, *(end for end, _ in run.units(stage) if end < at)]))


def repeated(earlier: list, now: list) -> int:
    """Return how many epochs or levels a run computed that the one before had told of."""
    return len({name for _, name in earlier} & {name for _, name in now})


def changed_parameter(made: Study, rng: random.Random, moments: int) -> Outcome:
    """teach.lr changed after a SIGKILL in mid-training: nothing of the old rate is taken up."""
    row = Outcome("teach.lr changed after a SIGKILL in mid-training", "teach")
    stage, file = study.STAGES["teach"], made.folder / "params.yaml"
    first = file.read_text()
    other = first.replace("  lr: 0.1\n", "  lr: 0.07\n", 1)
    study.forget(made.folder, stage)
    file.write_text(other)
    if made.run(stage).wait() or other == first:
        row.problems.append("the other rate did not run")
    expected = study.results(made.folder)
    for _ in range(moments):
        study.forget(made.folder, stage)
        file.write_text(first)
        run = made.run(stage)
        if run.until("epoch 1/") is not None:
            run.after(run.now() + rng.uniform(0, 0.5) * made.seconds[stage] / 2)
            run.kill("group", signal.SIGKILL)
        row.moments += run.wait() != 0
        file.write_text(other)
        row.problems += made.ended(made.run(stage), expected)
    made.restore()
    return row.close()


def whole_study(made: Study, rng: random.Random, moments: int) -> Outcome:
    """The whole study, killed again and again (SIGKILL to the process group)."""
    row = Outcome("SIGKILL to the group again and again, through the whole study", "all")
    for stage in made.outputs:
        study.forget(made.folder, stage)
    for _ in range(100):
        run = made.run()
        if not run.after(rng.uniform(4, 4 + sum(made.seconds.values()) / (3 * moments))):
            row.problems += made.ended(run)
            break
        run.kill("group", signal.SIGKILL)
        row.problems += [f"{item.command} goes on" for item in run.left()]
        row.moments += 1
    return row.close()

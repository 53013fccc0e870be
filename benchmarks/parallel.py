"""`kdprune run -j 2` against `dvc repro`, by turns, and kills of `kdprune run` on purpose.

python benchmarks/parallel.py [--rounds 3]   ratio of their times, from nothing, with the load
python benchmarks/parallel.py --default      the same on the default grid: ten minutes a round
python benchmarks/parallel.py --kills 10     kill -9 of a stage, a slot, the driver, ten times each

Runs on the tests' tiny study in a temporary folder. What is lost with a stage or a slot runs once
more in the same run; after a kill of the driver, or in collecting, the same command goes on. The
end must have the bytes of an undisturbed run, and no process may be left.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from faults import study

WORDS = {"stage": "-m stages ", "slot": "kdprune.running.child", "driver": "-m kdprune run"}
SIDES = {"serial": ["dvc", "repro"], "two": ["kdprune", "run", "-j", "2"]}
SAID = ".run/said.txt"
LEFT = 20.0  # seconds in which all of a killed run's processes must have ended
# One pair, so that sixty runs are soon done: a training waits for none, one, two at once
KILLED = study.workspace.PROFILE.replace(", densenet21_12/resnet10_16]", "]")


def start(folder: Path, side: str) -> subprocess.Popen:
    """Start one side in a workspace; what it says goes to SAID."""
    (folder / SAID).parent.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", *SIDES[side]],
        cwd=folder,
        env=study.workspace.environment(folder),
        stdout=(folder / SAID).open("w"),
        stderr=subprocess.STDOUT,
    )


def whole(pristine: Path, folder: Path, side: str) -> float:
    """Run one side from nothing; return its seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(pristine, folder, symlinks=True)
    since = time.monotonic()
    if status := start(folder, side).wait():
        raise SystemExit(f"{side} ended with {status}")
    return time.monotonic() - since


def ratios(pristine: Path, folder: Path, rounds: int) -> None:
    """Print each round's times, and the median ratio."""
    quotients = []
    for _ in range(rounds):
        load = os.getloadavg()[0]
        taken = {side: whole(pristine, folder, side) for side in SIDES}
        quotients.append(taken["serial"] / taken["two"])
        told = ", ".join(f"{side} {seconds:.0f} s" for side, seconds in taken.items())
        print(f"{told}: {quotients[-1]:.2f} times faster; load {load:.1f}", flush=True)
    low, middle, high = min(quotients), statistics.median(quotients), max(quotients)
    print(f"two at once: {middle:.2f} times faster ({low:.2f} to {high:.2f})")


def kill(folder: Path, target: str, after: float) -> bool:
    """Start, kill -9 one `target` after `after` seconds, see the end; False: none was there."""
    driver = start(folder, "two")
    time.sleep(after)
    there = [one.pid for one in study.processes(folder) if WORDS[target] in one.command]
    hit = driver.poll() is None and bool(there)
    if hit:
        os.kill(driver.pid if target == "driver" else there[0], signal.SIGKILL)
    status, told = driver.wait(), (folder / SAID).read_text()
    if hit and target != "driver" and "failed; the end of its output" in told:
        raise SystemExit(f"{target}: what was killed did not run again\n{told[-3000:]}")
    deadline = time.monotonic() + LEFT
    while time.monotonic() < deadline and study.writers(folder):
        time.sleep(0.2)
    if left := study.writers(folder):
        raise SystemExit(f"{target}: left behind: {left}")
    if status and (status := start(folder, "two").wait()):  # also where a collecting stage was hit
        raise SystemExit(f"{target}: the run after the kill ended with {status}")
    return hit


def kills(pristine: Path, folder: Path, moments: int) -> int:
    """Print how many kills of each target were survived; return 1 where one was not."""
    rng, bad = random.Random(0), 0
    seconds = whole(pristine, folder, "serial")
    expected = study.results(folder)
    for target in WORDS:
        survived = hits = 0
        for _ in range(3 * moments):
            if hits == moments:
                break
            shutil.rmtree(folder)
            shutil.copytree(pristine, folder, symlinks=True)
            if kill(folder, target, rng.uniform(0.05, 0.8) * seconds):
                hits += 1
                survived += study.results(folder) == expected
        print(f"kill -9 of a {target}: {survived} of {hits} survived", flush=True)
        bad += survived < hits
    return int(bad > 0)


def main() -> int:
    """Measure, or kill."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="moments of each target")
    parser.add_argument("--default", action="store_true", help="the default grid, not the tiny one")
    options = parser.parse_args()
    mini = (study.ROOT / "conf/profile/mini.yaml").read_text()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name).resolve()
        profile = KILLED if options.kills else mini if options.default else study.workspace.PROFILE
        pristine = study.workspace.make(base / "pristine", profile)
        if options.kills:
            return kills(pristine, base / "study", options.kills)
        ratios(pristine, base / "study", options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`kdprune run` on Ray against `dvc repro`: the same bytes, on one node, on two, and on a lost one.

python benchmarks/cluster.py              one node that shares the cache; two that share a remote
python benchmarks/cluster.py --kills 10   kill -9 of one of two nodes, at ten moments
python benchmarks/cluster.py --drivers 10 kill -9 of the driver, ten times; the same command again

Needs the extra kdprune[ray]. The nodes are this machine's: each is a Ray node of its own, whose
slots have folders and caches of their own. Runs on the tests' tiny study in a temporary folder.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import parallel
from faults import study

RAY = ("-m", "kdprune", "run", "-j", "2", "--ray")
TINY = parallel.KILLED
LONGER = TINY.replace("{epochs: 1, lr", "{epochs: 8, lr")  # what ends in an epoch cannot go on
assert LONGER != TINY


class Nodes:
    """A Ray cluster on this machine: a head that computes nothing, and two nodes of one slot."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self.nodes = [self.cluster.add_node(num_cpus=1) for _ in range(2)]

    def lose(self, at: int) -> None:
        """Kill a node and all that runs on it, as a power cut does."""
        self.cluster.remove_node(self.nodes.pop(at), allow_graceful=False)

    def complete(self) -> None:
        """Bring in a new node for each that was lost."""
        while len(self.nodes) < 2:
            self.nodes.append(self.cluster.add_node(num_cpus=1))


def copied(pristine: Path, folder: Path) -> Path:
    """Make `folder` a fresh copy of the study."""
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(pristine, folder, symlinks=True))


def start(folder: Path, *words: str) -> subprocess.Popen:
    """Start `kdprune run --ray` with `words`; what it says goes to run.log beside the folder."""
    with folder.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, *RAY, *words],
            cwd=folder,
            env=study.workspace.environment(folder),
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def with_remote(pristine: Path, remote: Path) -> Path:
    """Return the study with a DVC remote, which is all that its nodes share."""
    made = copied(pristine, pristine.with_name("with a remote"))
    study.workspace.dvc(made, "remote", "add", "-d", "shared", str(remote))
    study.workspace.commit(made, "a remote")
    return made


def compared(folder: Path, expected: dict, what: str, seconds: float) -> int:
    """Say whether a run wrote what the serial one did; return 1 where it did not."""
    found = study.results(folder)
    differ = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    said = f"{len(differ)} files differ: {', '.join(differ[:5])}" if differ else "the same bytes"
    print(f"{what}: {len(found)} files, {said}; {seconds:.0f} s", flush=True)
    return int(bool(differ))


def whole(pristine: Path, folder: Path, expected: dict, what: str, *words: str) -> int:
    """Run the study on a cluster from nothing, and compare."""
    shutil.rmtree(pristine.parent / "remote", ignore_errors=True)
    since = time.monotonic()
    if status := start(copied(pristine, folder), *words).wait():
        print(folder.with_suffix(".log").read_text())
        raise SystemExit(f"{what}: ended with {status}")
    return compared(folder, expected, what, time.monotonic() - since)


def kills(pristine: Path, folder: Path, expected: dict, nodes: Nodes, moments: int) -> int:
    """Kill a node at each of some moments of a run; return 1 where one was not survived.

    A run that had ended before its moment does not count: another is begun in its place.
    """
    rng, bad, hits = random.Random(0), 0, 0
    since = time.monotonic()
    bad += whole(pristine, folder, expected, "two nodes", nodes.cluster.address, "--remote")
    seconds = time.monotonic() - since
    for _ in range(3 * moments):
        if hits == moments:
            break
        nodes.complete()
        after = rng.uniform(0.2, 0.8) * seconds
        shutil.rmtree(pristine.parent / "remote", ignore_errors=True)
        since = time.monotonic()
        driver = start(copied(pristine, folder), nodes.cluster.address, "--remote")
        time.sleep(after)
        hit = driver.poll() is None
        hits += hit
        nodes.lose(rng.randrange(2))
        status = driver.wait()
        log = folder.with_suffix(".log").read_text()
        what = f"node {hits} killed after {after:.0f} s" if hit else "a run that was too short"
        if status:
            print(f"{what}: the run ended with {status}\n{log[-3000:]}", flush=True)
        bad += bool(status) or compared(folder, expected, what, time.monotonic() - since)
    return int(bad > 0)


def drivers(pristine: Path, folder: Path, expected: dict, seconds: float, moments: int) -> int:
    """Kill the driver at each of some moments; return 1 where the same command did not mend it."""
    rng, bad, nodes = random.Random(0), 0, Nodes()
    words = (nodes.cluster.address, "--remote")
    for moment in range(moments):
        shutil.rmtree(pristine.parent / "remote", ignore_errors=True)
        for left in pristine.parent.glob("kdprune-*"):  # of the moment before
            shutil.rmtree(left)
        driver = start(copied(pristine, folder), *words)
        after = rng.uniform(0.3, 0.9) * seconds
        time.sleep(after)
        hit = driver.poll() is None
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        since = time.monotonic()
        unfinished = sorted(file.name for file in slots(pristine, "unfinished/*.ckpt"))
        driver, resumed = start(folder, *words), set()
        while driver.poll() is None:
            resumed |= went_on(pristine)
            time.sleep(0.2)
        when = f"after {after:.0f} s" if hit else "at the end"
        what = f"moment {moment + 1}: the driver killed {when}"
        print(f"{what}: unfinished {unfinished}, went on {sorted(resumed)}", flush=True)
        if driver.returncode:
            log = folder.with_suffix(".log").read_text()
            print(f"{what}: the next run ended with {driver.returncode}\n{log[-3000:]}", flush=True)
        differ = compared(folder, expected, what, time.monotonic() - since)
        bad += bool(driver.returncode) or differ
    return int(bad > 0)


def slots(pristine: Path, pattern: str) -> list[Path]:
    """Return the files below what slots of this study keep on this machine's nodes."""
    return list(pristine.parent.glob(f"kdprune-*/*/{pattern}"))


def went_on(pristine: Path) -> set[str]:
    """Return the instances whose record says that they went on from unfinished work."""
    found = set()
    for file in slots(pristine, "slot-*/study/.run/log/*.json"):
        try:
            if any(run.get("resumed") for run in json.loads(file.read_text())):
                found.add(file.stem)
        except (OSError, ValueError):  # being written, or removed with its clone
            continue
    return found


def main() -> int:
    """Compare, or kill."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="moments of the kills")
    parser.add_argument("--drivers", type=int, default=0, metavar="N", help="driver kills")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name).resolve()
        os.environ["TMPDIR"] = str(base)  # the slots' clones are removed with all the rest
        pristine = study.workspace.make(base / "pristine", LONGER if options.drivers else TINY)
        remote, folder = with_remote(pristine, base / "remote"), base / "study"
        seconds = parallel.whole(remote, folder, "serial")
        expected = study.results(folder)
        if options.drivers:
            return drivers(remote, folder, expected, seconds, options.drivers)
        if not options.kills:
            bad = whole(remote, folder, expected, "one node, one cache", "local")
            nodes = Nodes()
            words = (nodes.cluster.address, "--remote")
            return bad | whole(remote, folder, expected, "two nodes, one remote", *words)
        return kills(remote, folder, expected, Nodes(), options.kills)


if __name__ == "__main__":
    sys.exit(main())

"""kdprune run: the study's instances side by side, on all cores, GPUs or machines."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from kdprune.cli.quantities import overrides
from kdprune.errors import KdpruneError
from kdprune.terminal import printable

EPILOG = """\
An instance is one stage for one network or data set. Instances of download, teach, distill,
sparsify, prune, compress and attribute run at the same time where none needs the other. `dvc repro`
collects at the end.
dvc.lock and all results are those of a plain `dvc repro`. After Ctrl-C, the same command continues.

examples:
  kdprune run                as many at once as there are GPUs, else half as many as cores
  kdprune run -j 8 --per-gpu 2
  kdprune run --dry          what is stale, in which order, and how long it may take
  kdprune run --dry --set profile=paper --assume 2.5,20,20
                             all of another study, on GPUs of 2.5 ms a step, 20 TFLOP/s beside it
                             and 20 s to start an instance
  kdprune run --set profile=paper --set 'datasets=[cifar10]'
  kdprune run --status       from another shell
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "run",
        help="run the study, several instances at once",
        description="Run what is stale of the study, several instances at once.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-j", "--jobs", type=_count, help="how many at once")
    parser.add_argument("--per-gpu", type=_count, default=1, help="how many share a GPU (1)")
    parser.add_argument("--gpu", action="store_true", help="with --ray, --slurm: ask for GPUs")
    parser.add_argument("--mixed", action="store_true", help="use GPUs of several kinds")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="changed",
        help="compose conf/ with a changed parameter, as `dvc exp run -S` does",
    )
    parser.add_argument("--dry", action="store_true", help="tell what would run, and run nothing")
    parser.add_argument("--assume", metavar="MS,TFLOPS,S", help="with --dry: GPUs to assume")
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="run on a Ray cluster: auto, local, HOST:PORT"
    )
    parser.add_argument(
        "--remote", action="store_true", help="with --ray: nodes share a remote only"
    )
    parser.add_argument(
        "--slurm", type=Path, metavar="FILE", help="write a script for Slurm, and stop"
    )
    parser.add_argument("--status", action="store_true", help="tell how a run stands")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run the study; return 2 where an instance failed. Raises KdpruneError before any work."""
    if given.status:
        return _tell_status()
    _check(given)
    if given.dry:
        return _tell_plan(given)
    from kdprune.running import driving

    with driving.alone(), driving.endable():
        return _submit(given) if given.slurm else _drive(given)


def _check(given: argparse.Namespace) -> None:
    """Raise KdpruneError for options that do not go together, or have nothing to act on."""
    if not Path("dvc.yaml").is_file():
        raise KdpruneError("dvc.yaml: is not here; run this in the folder of a study")
    if given.assume and not given.dry:
        raise KdpruneError("--assume: is for --dry, which runs nothing")
    if given.remote and not given.ray:
        raise KdpruneError("--remote: is for --ray")
    if given.ray and given.slurm:
        raise KdpruneError("--ray, --slurm: name one of them")
    if given.gpu and not (given.ray or given.slurm):
        raise KdpruneError("--gpu: is for --ray and --slurm; here GPUs are used if there are any")
    overrides(given.changed)


def _submit(given: argparse.Namespace) -> int:
    """Write the script for Slurm, whose nodes are not this machine."""
    from kdprune.running import slurm

    slurm.require_own(given.slurm)
    wanted = _wanted(given)
    slurm.write(given.slurm, list(wanted), gpu=given.gpu)
    print(f"{given.slurm}: {len(wanted)} instances; submit them by `bash {given.slurm}`")
    return 0


def _drive(given: argparse.Namespace) -> int:
    """Run what is stale, then what collects."""
    from kdprune.running import driving

    done = _on_a_cluster(given) if given.ray else _on_this_machine(given)
    return driving.collect(pull=given.remote) if done else 2


def _on_a_cluster(given: argparse.Namespace) -> bool:
    """Run what is stale on Ray; the closing `dvc repro` writes dvc.lock, in its own order."""
    from kdprune.running import driving, on_ray
    from kdprune.running.places import Room

    on_ray.require()
    if not (wanted := _wanted(given)):
        return True
    gpu = 1 / given.per_gpu if given.gpu else 0.0
    engine = on_ray.engine(given.ray, given.jobs, gpu=gpu, remote=given.remote)
    return driving.spread(
        wanted, engine, Room([f"ray {at}" for at, _ in enumerate(engine.actors)], {}, {})
    )


def _on_this_machine(given: argparse.Namespace) -> bool:
    """Run what is stale on this machine's GPUs, or cores."""
    from kdprune.config.params import load
    from kdprune.running import driving, here, places, study

    used, idle = places.used(mixed=given.mixed)
    slots = places.slots(given.jobs, given.per_gpu, used, places.cores())
    for line in filter(None, (idle, places.threads(slots))):
        print(line)
    wanted = _wanted(given)
    at = [slot.get("KDPRUNE_DEVICE", places.MACHINE) for slot in slots]
    peaks = study.peaks(study.needs(load().grid), here.LOGS, gpu=bool(used))
    room = places.Room(at, places.sizes(used), peaks)
    return driving.in_place(wanted, here.Here(slots), room)


def _wanted(given: argparse.Namespace) -> dict[str, list[str]]:
    """Compose what is changed, and return what is stale, each with what it needs."""
    from kdprune.config.params import load
    from kdprune.running import clonable, here, study

    if given.changed:
        _compose(given.changed)
    if option := "--ray" if given.ray else "--slurm" if given.slurm else "":
        clonable.require(option, load())
    needs = study.needs(load().grid)
    return {name: needs[name] for name in here.stale(list(needs), needs, Path(), mend=True)}


def _tell_plan(given: argparse.Namespace) -> int:
    """Say what would run. A study that --set composes is another: all of it counts as stale."""
    from kdprune.config.params import load
    from kdprune.running import believed, forecast, here, study

    gpu = forecast.assumed(given.assume) if given.assume else None
    with tempfile.TemporaryDirectory() as folder:
        file = Path("params.yaml")
        if given.changed:
            file = Path(folder) / file
            _compose([*given.changed, "-o", str(file)])
        params = load(file)
        timed = believed.timed(needs := study.needs(params.grid), file, here.LOGS)
    wanted = list(needs) if given.changed else here.stale(list(needs), needs, Path())
    known, whence = forecast.seconds({name: timed[name] for name in wanted}, params, gpu)
    for line in forecast.lines({name: needs[name] for name in wanted}, known):
        print(line)
    if wanted:
        print(f"times: {whence}; collecting adds a minute")
    return 0


def _tell_status() -> int:
    from kdprune.running import driving

    for line in driving.status():
        print(printable(line))
    return 0


def _compose(changed: list[str]) -> None:
    done = subprocess.run([sys.executable, "conf/compose.py", *changed], capture_output=True)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().removeprefix("kdprune: ")
        raise KdpruneError(f"--set: {reason}")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 4 or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
    return int(text)

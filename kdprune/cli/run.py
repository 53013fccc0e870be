"""kdprune run: the study's instances side by side, on all cores, GPUs or machines."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdprune.cli.quantities import overrides
from kdprune.errors import KdpruneError
from kdprune.records import read_json
from kdprune.terminal import printable

if TYPE_CHECKING:
    from kdprune.running.places import Gpu

STATUS = Path(".run/run.json")
ORDER = Path(".run/order.json")
LOCK = Path("dvc.lock")
EPILOG = """\
An instance is one stage for one network or data set. Instances of download, teach, distill,
sparsify and prune run at the same time where none needs the other. `dvc repro` collects at the end.
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
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changed")
    parser.add_argument("--dry", action="store_true", help="tell what would run, and run nothing")
    parser.add_argument("--assume", metavar="MS,TFLOPS,S", help="with --dry: GPUs to assume")
    parser.add_argument("--ray", metavar="ADDRESS", help="run on a Ray cluster: auto, local, HOST")
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
    if not Path("dvc.yaml").is_file():
        raise KdpruneError("dvc.yaml: is not here; run this in the folder of a study")
    if given.assume and not given.dry:
        raise KdpruneError("--assume: is for --dry, which runs nothing")
    overrides(given.changed)
    if given.dry:
        return _tell_plan(given)
    if given.remote and not given.ray:
        raise KdpruneError("--remote: is for --ray")
    from kdprune.config.params import load
    from kdprune.running import here, places, slurm, study

    if given.slurm:
        slurm.require_own(given.slurm)
    if given.changed:
        _compose(given.changed)
    needs = study.needs(load().grid)
    used, idle = places.used(mixed=given.mixed)
    if idle:
        print(idle)
    slots = places.slots(given.jobs, given.per_gpu, used, os.cpu_count() or 1)
    wanted = here.stale(list(needs), needs, Path())
    if given.slurm:
        slurm.write(given.slurm, wanted, gpu=given.gpu)
        print(f"{given.slurm}: {len(wanted)} instances; submit them by `bash {given.slurm}`")
        return 0
    if given.ray:
        slots = [{} for _ in range(given.jobs or len(slots))]
    shared = {key for slot in slots for key in slot.items() if key[0] == "OMP_NUM_THREADS"}
    for _, threads in shared:
        print(f"{len(slots)} at once, {threads} thread(s) each: rounding may differ from one")
    now = here.names_of(LOCK)
    before = here.order_before(now, ORDER)
    failed = _spread({name: needs[name] for name in wanted}, slots, used, given) if wanted else []
    if given.ray:
        ORDER.unlink(missing_ok=True)  # the closing `dvc repro` writes dvc.lock, in its own order
    elif here.names_of(LOCK) != now or now != before:
        here.in_order(LOCK, before)
    if failed:
        for name, tail in failed:
            print(f"kdprune: {name} failed; the end of its output:\n{tail}", file=sys.stderr)
        return 2
    ORDER.unlink(missing_ok=True)
    closing = [sys.executable, "-m", "dvc", "repro", *(["--pull"] if given.remote else [])]
    return subprocess.run(closing, env=here.environment()).returncode


def _spread(
    needs: Mapping[str, list[str]],
    slots: list[dict[str, str]],
    used: "list[Gpu]",
    given: argparse.Namespace,
) -> list[tuple[str, str]]:
    from kdprune.running import on_ray, places, study
    from kdprune.running.here import LOGS, Here
    from kdprune.running.on_ray import OnRay
    from kdprune.running.progress import Teller
    from kdprune.running.scheduler import schedule

    known = study.seconds(needs, LOGS)
    engine: Here | OnRay = (
        on_ray.engine(
            given.ray, len(slots), gpu=1 / given.per_gpu if given.gpu else 0.0, remote=given.remote
        )
        if given.ray
        else Here(slots)
    )
    if isinstance(engine, OnRay):
        slots = slots[: len(engine.actors)]
    teller = Teller(list(needs), known, len(slots), STATUS)
    at = [slot.get("KDPRUNE_DEVICE", places.MACHINE) for slot in slots]
    peaks = study.peaks(needs, LOGS, gpu=bool(used))
    room = places.Room(at, places.sizes(used), peaks)
    try:
        schedule(needs, engine, range(len(slots)), teller.tell, room.fits)
    except KeyboardInterrupt:
        print("kdprune: stopping; the same command goes on", file=sys.stderr)
        raise
    finally:
        engine.stop()
    return teller.failed


def _tell_plan(given: argparse.Namespace) -> int:
    """Say what would run. A study that --set composes is another: all of it counts as stale."""
    from kdprune.config.params import load
    from kdprune.running import forecast, here, study

    gpu = forecast.assumed(given.assume) if given.assume else None
    with tempfile.TemporaryDirectory() as folder:
        file = Path("params.yaml")
        if given.changed:
            file = Path(folder) / file
            _compose([*given.changed, "-o", str(file)])
        params = load(file)
    needs = study.needs(params.grid)
    wanted = list(needs) if given.changed else here.stale(list(needs), needs, Path())
    known, whence = forecast.seconds(wanted, params, here.LOGS, gpu)
    for line in forecast.lines({name: needs[name] for name in wanted}, known):
        print(line)
    if wanted:
        print(f"times: {whence}; collecting adds a minute")
    return 0


def _tell_status() -> int:
    try:
        told = read_json(STATUS)
        lines = [str(line) for line in told["lines"][-20:]]
        lines += [f"runs: {name}, since {since}" for name, since in told["running"].items()]
    except FileNotFoundError:
        raise KdpruneError(f"{STATUS}: no run has begun here; start one by `kdprune run`") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise KdpruneError(f"{STATUS}: is damaged; `kdprune run` writes it anew") from None
    for line in lines:
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

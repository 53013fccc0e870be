"""kdprune run: the study's instances side by side, on all cores or GPUs of this machine."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError

STATUS = Path(".run/run.json")
ORDER = Path(".run/order.json")
LOCK = Path("dvc.lock")
EPILOG = """\
The instances of download, teach, distill and prune run at the same time, as far as they do not
need each other; `dvc repro` collects at the end. dvc.lock and all results are those of a plain
`dvc repro`. Ctrl-C and the same command go on.

examples:
  kdprune run                as many at once as there are GPUs, else half as many as cores
  kdprune run -j 8 --per-gpu 2
  kdprune run --dry          what is stale, in which order, and how long it may take
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
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changed")
    parser.add_argument("--dry", action="store_true", help="tell what would run, and run nothing")
    parser.add_argument("--status", action="store_true", help="tell how a run stands")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Run the study; return 2 where an instance failed. Raises KdpruneError before any work."""
    if given.status:
        return _tell_status()
    if not Path("dvc.yaml").is_file():
        raise KdpruneError("dvc.yaml: is not here; run this in the folder of a study")
    if given.changed:
        _compose(given.changed)
    from kdprune.config.params import load
    from kdprune.running import here, study

    needs = study.needs(load().grid)
    wanted = here.stale(list(needs), needs, Path())
    slots = here.slots(given.jobs, given.per_gpu, _gpus(), os.cpu_count() or 1)
    known = study.seconds(dict.fromkeys(wanted), here.LOGS)
    if given.dry:
        _tell_plan(wanted, {name: needs[name] for name in wanted}, known)
        return 0
    shared = {key for slot in slots for key in slot.items() if key[0] == "OMP_NUM_THREADS"}
    for _, threads in shared:
        print(f"{len(slots)} at once, {threads} thread(s) each: rounding may differ from one")
    now = here.names_of(LOCK)
    before = here.order_before(now, ORDER)
    failed = _spread({name: needs[name] for name in wanted}, slots, known) if wanted else []
    if here.names_of(LOCK) != now or now != before:
        here.in_order(LOCK, before)
    if failed:
        for name, tail in failed:
            print(f"kdprune: {name} failed; the end of its output:\n{tail}", file=sys.stderr)
        return 2
    ORDER.unlink(missing_ok=True)
    closing = [sys.executable, "-m", "dvc", "repro"]
    return subprocess.run(closing, env=here.environment()).returncode


def _spread(
    needs: Mapping[str, list[str]], slots: list[dict[str, str]], known: Mapping[str, float]
) -> list[tuple[str, str]]:
    from kdprune.running.here import Here
    from kdprune.running.progress import Teller
    from kdprune.running.scheduler import schedule

    engine, teller = Here(slots), Teller(list(needs), known, len(slots), STATUS)
    try:
        schedule(needs, engine, range(len(slots)), teller.tell)
    except KeyboardInterrupt:
        print("kdprune: stopping; the same command goes on", file=sys.stderr)
        raise
    finally:
        engine.stop()
    return teller.failed


def _tell_plan(
    wanted: list[str], needs: Mapping[str, list[str]], known: Mapping[str, float]
) -> None:
    from kdprune.running.scheduler import makespan

    for name in wanted:
        print(f"{name}  about {known[name]:.0f} s")
    print(f"{len(wanted)} of the study's instances are stale")
    for slots in (1, 2, 4, 8, 16, 64):
        print(f"{slots:3} at once: about {makespan(needs, known, slots):.0f} s")


def _tell_status() -> int:
    try:
        told = json.loads(STATUS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise KdpruneError(f"{STATUS}: no run has begun here; start one by `kdprune run`") from None
    for line in told["lines"][-20:]:
        print(line)
    for name, since in told["running"].items():
        print(f"runs: {name}, since {since}")
    return 0


def _compose(changed: list[str]) -> None:
    done = subprocess.run([sys.executable, "conf/compose.py", *changed], capture_output=True)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().removeprefix("kdprune: ")
        raise KdpruneError(f"--set: {reason}")


def _gpus() -> int:
    """Return how many GPUs there are, as the driver says: importing torch takes seconds."""
    named = os.environ.get("KDPRUNE_DEVICE", "")
    if named:
        return 0  # the user has chosen a device, and all instances use it
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([item for item in visible.split(",") if item.strip() not in ("", "-1")])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
    return int(text)

"""Tries the whole grid on random numbers before the first training, once for each study.

What is tried stands in kdprune.planning.trial. That all went well is remembered by a hash of what
it follows from, so that it costs nothing the second time: not even an import of torch.
"""

import contextlib
import hashlib
import io
import json
import sys
from importlib import metadata
from pathlib import Path

from kdprune.config.params import Params, load
from kdprune.errors import KdpruneError, status_of
from kdprune.files import replacing

REMEMBERED = Path(".run/rehearsed")
WORK = Path(".run/work.json")  # operations of every instance, for those who wait
TRAININGS = ("teach", "distill")  # the stages before which it is due
# These decide nothing here
BESIDE = {"profile", "teach", "trainings", "compress"}
BESIDE |= {"breakpoints", "efficiency", "significance"}
ROOMS = ("models", "distillation", "pruning", "planning")  # whose code decides what is refused
LIBRARIES = ("torch", "timm", "torch-pruning")


def rehearse(params: Params) -> None:
    """Build, train for a step, cut and run every network of the grid, unless that was done before.

    Raises KdpruneError for the first fault, as the stage itself would after hours.
    """
    digest = _digest(params)
    if REMEMBERED.is_file() and REMEMBERED.read_text(errors="replace").strip() == digest:
        return
    from kdprune.planning.trial import run

    run(params, Path())
    _count(params)
    with replacing(REMEMBERED) as temporary:
        temporary.write_text(f"{digest}\n")


def operations() -> dict[str, float]:
    """Return each instance's floating-point operations, {"teach@KEY": …}, as last rehearsed."""
    try:
        held = json.loads(WORK.read_text(encoding="utf-8"))
        return {str(name): float(number) for name, number in held.items()}
    except (OSError, ValueError, AttributeError, TypeError):  # none, or damaged
        return {}


def _count(params: Params) -> None:
    """Note the operations of every instance, while the networks are at hand."""
    import torch

    from kdprune.planning.plan import plan

    try:
        with torch.random.fork_rng(devices=[]), contextlib.redirect_stderr(io.StringIO()):
            rows = plan(params, Path(), seconds=None)["rows"]
    except KdpruneError:  # a data set of unknown size: it is yet to be downloaded
        return
    named = {f"{row['kind'].partition(' ')[0]}@{row['key']}": row["work"] for row in rows}
    with replacing(WORK) as temporary:
        held = {name: work.forward + work.backward for name, work in named.items()}
        temporary.write_text(json.dumps(held, indent=1), encoding="utf-8")


def before(stage: str) -> None:
    """Rehearse where `stage` trains. Raises KdpruneError as `rehearse` does."""
    if stage in TRAININGS:
        rehearse(load())


def _digest(params: Params) -> str:
    """Return a hash of all that the trial follows from."""
    told = hashlib.sha256(params.model_dump_json(exclude=BESIDE).encode())
    for name in params.folders or {}:
        manifest = Path("data", name, "manifest.json")  # how many images and classes there are
        told.update(manifest.read_bytes() if manifest.is_file() else b"none")
    package = Path(__file__).parents[1]
    for file in sorted(file for room in ROOMS for file in (package / room).glob("*.py")):
        told.update(file.read_bytes())
    for name in LIBRARIES:
        told.update(metadata.version(name).encode())
    return told.hexdigest()


if __name__ == "__main__":
    sys.exit(status_of(lambda: rehearse(load())))

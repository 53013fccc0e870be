"""kdprune plan: what a study will cost, before it is run."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdprune.cli.quantities import overrides
from kdprune.errors import KdpruneError
from kdprune.progress import duration

if TYPE_CHECKING:
    from kdprune.config.params import Params

DESCRIPTION = """\
Tell what the study of a parameter file costs: instances, images, operations, files, and the time
that it takes on this machine, after a short calibration. Nothing is trained and nothing is written.
"""
EXAMPLE = """\
operations
  Of convolutions and linear layers: forward 2 per multiply-add, backward twice the forward. A
  channel-pruned network at level q counts for 1 - q of the dense one, a masked one for all of it.
time
  Networks train and evaluate for a moment on random images, on the device that the stages would
  choose (KDPRUNE_DEVICE), and the study is extrapolated from it. The cheapest network of a family
  is measured, and others while ten times --calibrate-seconds last; the rest follow from these by
  their operations. Not in it: download, analysis, the start of processes. All is counted as still
  to be done.

examples:
  kdprune plan
  kdprune plan --profile paper --no-calibration
  kdprune plan --profile strong pairs=[resnet101/resnet50] datasets=[cifar10] --json
  python conf/compose.py profile=paper -o plan.yaml && kdprune plan --params plan.yaml
"""
BUSY = 0.7  # share of the time with a core, below which a machine is not ours alone
TITLES = (
    "stage",
    "instances",
    "epochs",
    "images trained",
    "forward",
    "backward",
    "parameters",
    "files",
)


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "plan",
        help="tell what a study will cost, and how long it will take here",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="compose conf/ with these, as dvc exp -S"
    )
    parser.add_argument("--profile", metavar="NAME", help="short for profile=NAME")
    parser.add_argument(
        "--params", type=Path, metavar="FILE", help="a parameter file (default: params.yaml)"
    )
    parser.add_argument("--no-calibration", action="store_true", help="operations, but no times")
    parser.add_argument(
        "--calibrate-seconds",
        type=_positive,
        default=1.0,
        metavar="S",
        help="for each measurement, of which a network takes two or three (default 1)",
    )
    parser.add_argument("--json", action="store_true", help="every instance, for programs")
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the study's folder"
    )
    parser.set_defaults(run=run)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 … 3600 seconds")
    return value


def run(given: argparse.Namespace) -> int:
    """Print the plan. Raises KdpruneError for parameters that are at fault."""
    params = _params(given)
    from kdprune.planning import plan

    seconds = None if given.no_calibration else given.calibrate_seconds
    planned = plan.plan(params, given.project, seconds=seconds)
    if given.json:
        print(json.dumps({**planned, "rows": [_plain(row) for row in planned["rows"]]}, indent=2))
        return 0
    for line in lines(planned):
        print(line)
    return 0


def _params(given: argparse.Namespace) -> "Params":
    from kdprune.config.params import load

    changed = [*([f"profile={given.profile}"] if given.profile else []), *given.overrides]
    overrides(changed)
    if not changed:
        return load(given.params or given.project / "params.yaml")
    if given.params:
        raise KdpruneError("--params: holds a composed study; give it or --profile and KEY=VALUE")
    script = given.project / "conf" / "compose.py"
    if not script.is_file():
        raise KdpruneError(f"{script}: is not there; give --params, or the study's --project")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "params.yaml"
        command = [sys.executable, str(script), *changed, "-o", str(output)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            said = ended.stderr.strip().splitlines() or ["conf/ does not compose"]
            raise KdpruneError(said[-1].removeprefix("kdprune: "))
        return load(output)


def lines(plan: dict[str, Any]) -> Iterator[str]:
    """Yield the plan as text: the images, a table by kind of stage, and what to make of it."""
    for name, images in plan["images"].items():
        yield (
            f"{name}: {images['train']:,} training, {images['val']:,} validation and "
            f"{images['test']:,} test images"
        )
    yield ""
    timed = plan["device"] is not None
    table = [[*TITLES, *(["time"] if timed else [])]]
    kinds = list(dict.fromkeys(row["kind"] for row in plan["rows"]))
    groups = [(kind, [row for row in plan["rows"] if row["kind"] == kind]) for kind in kinds]
    for kind, rows in [*groups, ("total", plan["rows"])]:
        table.append(_row(kind, rows, timed))
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for first, *rest in table:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join(cells)
    yield ""
    if not timed:
        yield "No times: without a calibration."
        return
    told = f"Calibrated on {plan['device']}, {plan['calibrate_seconds']:g} s a measurement"
    if plan["measured"] == plan["networks"]:
        yield f"{told}."
    else:
        yield f"{told}: {plan['measured']} of {plan['networks']} networks were measured."
        yield "The others follow by their operations: such a one may take half as long, or twice."
    yield from _shared(plan)
    yield "The times are extrapolated: expect a third more or less, or more as the load changes."


def _shared(plan: dict[str, Any]) -> Iterator[str]:
    """Say that the calibration had no machine to itself, where that was so."""
    core = plan["core"]
    if core is None or core >= BUSY:
        return
    told = f"Other work shares this machine: the calibration had a core {core:.0%} of the time."
    if plan["threads"] == 1:
        alone = duration(core * sum(row["seconds"] for row in plan["rows"]))
        yield f"{told} Alone, the study takes about {alone}."
    else:  # threads wait for each other at every layer: the loss is of another order
        yield f"{told} Its times may be many times too long; calibrate when it is idle."


def _row(kind: str, rows: list[dict[str, Any]], timed: bool) -> list[str]:
    from kdprune.planning import cost

    work = cost.total(row["work"] for row in rows)
    made = [row for row in rows if row["params"]]
    cells = [kind, f"{len(rows):,}", f"{work.epochs:,}", f"{work.trained:,}"]
    cells += [f"{scaled(work.forward)}FLOP", f"{scaled(work.backward)}FLOP"]
    cells.append(f"{sum(row['params'] for row in made):,}" if made else "-")
    cells.append(f"{scaled(sum(row['bytes'] for row in made))}B" if made else "-")
    return [*cells, duration(sum(row["seconds"] for row in rows))] if timed else cells


def scaled(number: float) -> str:
    """Return a number with three digits and a prefix: 1.23 G."""
    for prefix, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if float(f"{number:.3g}") >= size:  # 999.9 M is 1 G
            return f"{float(f'{number:.3g}') / size:.3g} {prefix}"
    return f"{number:.3g} "


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {**{key: value for key, value in row.items() if key != "work"}, **asdict(row["work"])}

"""kdprune recommend: which network, pruned how far, fits the limits; from stored results."""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdprune.cli.quantities import milliseconds, params, points, size
from kdprune.terminal import printable

if TYPE_CHECKING:
    from kdprune.deployment.recommendation import Candidate, Shortfall

DESCRIPTION = """\
Choose a network, a pruning method and a level that fit your limits, without training anything.

Every level of every sweep of the study (metrics/sweeps, as the grid in params.yaml names them) is
a candidate, and so is every network as it was trained. Of those within all limits, the one with
the highest validation accuracy is chosen, and the smaller one of equals. Test accuracy is never
used to choose. It is reported with its 95 % interval (Student's t) over the fine-tuning seeds
alone: neither the one training of the network nor the choice of images is in it.
"""
EXAMPLE = """\
limits:
  --max-params   weights that are left: not removed, and not zeroed
  --max-drop     points of validation accuracy below the best unpruned network of the data set, as
                 trained or at level 0; with --drop-from own, below the same network unpruned
  --max-latency  median of metrics/measure.csv, at --batch images; 5ms, 800us, or 0.01s. Only the
                 networks at their breakpoints, and unpruned, were timed, on the device that the
                 answer names; `dvc repro --force --single-item measure` times them on yours
  --max-bytes    of the file: 100k, 0.5M. Known are the same networks' smallest float32 files, and,
                 where compress.bits names some, those of their codings (metrics/codings.csv), which
                 then are candidates with an accuracy of their own (docs/how-to/ship.md)

examples:
  kdprune recommend --max-params 200k --max-drop 10
  kdprune recommend --max-params 2M --max-drop 1.0 --max-latency 5ms --dataset cifar10 --json

Exit status 1: nothing is within the limits; printed is what comes nearest.
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "recommend",
        help="choose a network, a method and a level that fit your limits",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--max-params", type=params, metavar="N", help="such as 50000, 200k or 2M")
    parser.add_argument("--max-drop", type=points, metavar="POINTS", help="such as 1.0")
    parser.add_argument("--max-latency", type=milliseconds, metavar="TIME", help="such as 5ms")
    parser.add_argument("--max-bytes", type=size, metavar="SIZE", help="such as 100k or 0.5M")
    parser.add_argument("--drop-from", choices=("best", "own"), default="best")
    parser.add_argument("--dataset", help="needed where the study has several")
    parser.add_argument("--batch", type=int, default=1, help="images at a time, for latency")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the study's folder"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the answer; return 0, or 1 where nothing is within the limits."""
    from kdprune.deployment import recommendation
    from kdprune.study import rows, sizes

    dataset, sweeps = rows.sweeps(given.project, given.dataset)
    names = {name: getattr(given, name) for name in recommendation.LIMITS}
    limits = {name: value for name, value in names.items() if value is not None}
    latencies, device = rows.latencies(
        given.project, dataset, batch=given.batch, needed="max_latency" in limits
    )
    curves = [*sweeps, *rows.checkpoints(given.project, dataset)]
    stored = {}
    if "max_bytes" in limits:
        coded, stored = sizes.coded(given.project, dataset), sizes.stored(given.project, dataset)
        sizes.demand(coded, stored)
        curves += coded
    candidates = recommendation.candidates(
        curves, latencies=latencies, sizes=stored, drop_from=given.drop_from
    )
    kept = recommendation.ranked(candidates, limits)
    missed = [] if kept else recommendation.shortfalls(candidates, limits)
    if given.json:
        print(json.dumps(_json(given, dataset, limits, device, candidates, kept, missed), indent=2))
        return 0 if kept else 1
    if not kept:
        print(f"None of {len(candidates)} candidates on {dataset} is within the limits.")
        for item in missed:
            print(_missed(item))
        return 1
    print(f"{len(kept)} of {len(candidates)} candidates on {dataset} are within the limits.")
    for title, one in zip(("winner", "runner-up"), kept, strict=False):
        print(f"\n{title:10} {_name(one)}")
        for line in _numbers(one, given.drop_from, f"at batch {given.batch} on {device}"):
            print(f"           {printable(line)}")
    return 0


def _name(one: "Candidate") -> str:
    unpruned = {"trained": "as trained", "none": "unpruned, tuned as the pruned are"}
    how = unpruned.get(one.method, f"{one.method} pruning at level {one.level:g}")
    return f"{one.network} ({one.role}), {how}" + (f", as {one.coding}" if one.coding else "")


def _numbers(one: "Candidate", drop_from: str, measured: str) -> list[str]:
    against = "the best unpruned network" if drop_from == "best" else "itself unpruned"
    side = "below" if one.drop >= 0 else "above"
    spread = "" if one.test_low is None else f" [{one.test_low:.2f}, {one.test_high:.2f}]"
    repeats = "trained once" if one.method == "trained" else f"n = {one.seeds} fine-tuning seeds"
    stored = f", {one.stored_params:,} stored" if one.masked else ""
    lines = [
        f"{one.params:,} parameters{stored}; {one.macs:,} multiply-adds",
        f"validation {one.val_accuracy:.2f} %, {abs(one.drop):.2f} points {side} {against}",
        f"test {one.test_accuracy:.2f} %{spread}, {repeats}",
    ]
    if one.bytes is not None:
        lines.append(f"file of {one.bytes:,} bytes, {one.coding or 'float32'}")
    if one.latency_ms is not None:
        lines.append(f"latency {one.latency_ms:.3g} ms {measured}")
    if one.masked:
        lines.append("masked, not smaller: zeroed weights make a network no faster")
    return lines


UNITS = {"max_params": "parameters", "max_drop": "points"}
UNITS |= {"max_latency": "ms", "max_bytes": "bytes"}


def _missed(item: "Shortfall") -> str:
    option, unit = f"--{item.limit.replace('_', '-')}", UNITS[item.limit]
    if math.isinf(item.excess):
        unknown = "latency is" if item.limit == "max_latency" else "bytes are"
        return f"  {option}: no {unknown} known of {_name(item.nearest)}"
    gap = (
        f"{item.excess:,.0f}" if item.limit in ("max_params", "max_bytes") else f"{item.excess:.3g}"
    )
    rest = "it keeps the other limits" if not item.others else "it misses another limit too"
    return (
        f"  {option} {item.allowed:,g} is kept by {item.alone}; nearest, {gap} {unit} over: "
        f"{_name(item.nearest)} ({rest})"
    )


def _json(
    given: argparse.Namespace,
    dataset: str,
    limits: dict[str, float],
    device: str | None,
    candidates: list["Candidate"],
    kept: list["Candidate"],
    missed: list["Shortfall"],
) -> dict[str, Any]:
    described = [{**asdict(one), "masked": one.masked} for one in kept[:2]] + [None, None]
    return {
        "dataset": dataset,
        "limits": limits,
        "drop_from": given.drop_from,
        "batch": given.batch,
        "device": device,
        "candidates": len(candidates),
        "within_limits": len(kept),
        "winner": described[0],
        "runner_up": described[1],
        "shortfalls": [
            {**asdict(item), "excess": None if math.isinf(item.excess) else item.excess}
            for item in missed
        ],
    }

"""kdprune recommend: which network, pruned how far, fits the limits; from stored results."""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdprune.cli.candidates import export, forms, missed, name, numbers
from kdprune.cli.quantities import count, milliseconds, params, points, size
from kdprune.study.latencies import NAMES, again
from kdprune.terminal import printable

if TYPE_CHECKING:
    from kdprune.deployment.recommendation import Candidate, Shortfall
    from kdprune.study.latencies import Latencies

DESCRIPTION = """\
Choose a network, a pruning method and a level that fit your limits, without training anything.

Every level of every sweep of the study (metrics/sweeps, as the grid in params.yaml names them) is
a candidate, and so is every network as it was trained. Of those within all limits, the one with
the highest validation accuracy is chosen, and the smaller one of equals. Test accuracy is never
used to choose. It is reported with a 95 % interval over the sampling of the test images (binomial)
and the fine-tuning seeds. The interval does not include variation between training runs.
"""
EXAMPLE = """\
limits:
  --max-params   weights that are left: not removed, and not zeroed
  --max-drop     points of validation accuracy below the best unpruned network of the data set, as
                 trained or at level 0; with --drop-from own, below the same network unpruned
  --max-latency  lower quartile of metrics/measure.csv, at --batch images; 5ms, 800us, or 0.01s. Of
                 networks that channels were cut from, those at their breakpoints were timed; a
                 masked one takes as long as itself unpruned. A time whose quartiles lie more than
                 half its median apart is noise, and within no limit. The answer names the runtime
                 and the device; `dvc repro --force --single-item measure` times them on yours
  --max-bytes    of the file that the last line of the answer writes: 100k, 0.5M. Known are the
                 same networks' safetensors files and, where compress.bits names some, those of
                 their codings (metrics/codings.csv), which then are candidates with an accuracy of
                 their own (docs/how-to/ship.md)

examples:
  kdprune recommend --max-params 200k --max-drop 10
  kdprune recommend --max-params 2M --max-drop 1.0 --max-latency 5ms --dataset cifar10 --json

Exit status 1: no network is within the limits; the nearest ones are printed.
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
    parser.add_argument("--batch", type=count, default=1, help="images at a time, for latency")
    parser.add_argument(
        "--runtime",
        choices=NAMES,
        help="what runs the network, for latency (default: onnx where it was measured, else torch; "
        "openvino is timed on request, as the answer says)",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the study's folder"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the answer; return 0, or 1 where nothing is within the limits."""
    from kdprune.deployment import recommendation
    from kdprune.study import rows, sizes
    from kdprune.study.latencies import latencies
    from kdprune.study.sampled import test_images

    dataset, sweeps = rows.sweeps(given.project, given.dataset)
    asked = {limit: getattr(given, limit) for limit in recommendation.LIMITS}
    limits = {limit: value for limit, value in asked.items() if value is not None}
    measured = latencies(
        given.project,
        dataset,
        batch=given.batch,
        runtime=given.runtime,
        needed="max_latency" in limits,
    )
    curves, stored = [*sweeps, *rows.checkpoints(given.project, dataset)], {}
    if "max_bytes" in limits:
        swept = {curve[0]["network"] for curve in sweeps}
        coded = sizes.coded(given.project, dataset, swept)
        stored = sizes.stored(given.project, dataset)
        sizes.demand(coded, stored)
        curves += coded
    candidates = recommendation.candidates(
        curves,
        latencies=measured.times,
        sizes=stored,
        test_images=(images := test_images(given.project, dataset)),
        drop_from=given.drop_from,
    )
    kept = recommendation.ranked(candidates, limits)
    short = [] if kept else recommendation.shortfalls(candidates, limits)
    noisy = sum(one.steady is False for one in candidates) if "max_latency" in limits else 0
    if given.json:
        answer = _json(given, dataset, limits, measured, candidates, kept, short)
        print(json.dumps({**answer, "test_images": images, "noisy": noisy}, indent=2))
        return 0 if kept else 1
    if not kept:
        print(f"None of {len(candidates)} candidates on {dataset} is within the limits.")
        for item in short:
            print(printable(missed(item)))
    else:
        print(f"{len(kept)} of {len(candidates)} candidates on {dataset} are within the limits.")
    for title, one in zip(("winner", "runner-up"), kept, strict=False):
        print(f"\n{title:10} {printable(name(one))}")
        for line in numbers(one, given.drop_from, given.batch, images, measured):
            print(f"           {printable(line)}")
    if kept:
        written = export(kept[0], given.project, forms(limits, measured.runtime))
        print(f"\nexport     {printable(written)}")
    if noisy:
        print(f"\nThe times of {noisy} candidates are noise, and within no limit; time them again,")
        print(f"while nothing else runs: {again(measured.runtime)}")
    return 0 if kept else 1


def _json(
    given: argparse.Namespace,
    dataset: str,
    limits: dict[str, float],
    measured: "Latencies",
    candidates: list["Candidate"],
    kept: list["Candidate"],
    short: list["Shortfall"],
) -> dict[str, Any]:
    described = [
        {
            **asdict(one),
            "masked": one.masked,
            "export": export(one, given.project, forms(limits, measured.runtime)),
        }
        for one in kept[:2]
    ] + [None, None]
    return {
        "dataset": dataset,
        "limits": limits,
        "drop_from": given.drop_from,
        "batch": given.batch,
        "runtime": measured.runtime,
        "device": measured.devices,
        "candidates": len(candidates),
        "within_limits": len(kept),
        "winner": described[0],
        "runner_up": described[1],
        "shortfalls": [
            {**asdict(item), "excess": None if math.isinf(item.excess) else item.excess}
            for item in short
        ],
    }

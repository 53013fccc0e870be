"""What `kdprune compress` answers, from the study that it has run."""

import argparse
import contextlib
import io
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kdprune.terminal import printable

if TYPE_CHECKING:
    from kdprune.deployment.recommendation import Candidate, Shortfall

LIMITS = {"max_drop": "points", "max_params": "parameters", "max_bytes": "bytes"}
LIMITS |= {"max_latency": "ms"}
WHOLE = ("parameters", "bytes")  # units of whole numbers
EXPORT, TRIED = "export", "export.tried"  # folders: of the answer, and of what may become it


def answer(given: argparse.Namespace, formats: list[str], seconds: float) -> int:
    """Print the answer in ten lines, and export the winner; return 1 where there is none."""
    from kdprune.config import params as parameters
    from kdprune.data import tensors
    from kdprune.deployment import answer, recommendation
    from kdprune.deployment.forms import FILES
    from kdprune.progress import duration
    from kdprune.study import commission, latencies, rows

    folder, dataset = given.out, commission.DATASET
    settings = parameters.load(folder / "params.yaml")
    limits = {name: getattr(given, name) for name in LIMITS if getattr(given, name) is not None}
    timed = latencies.latencies(
        folder, dataset, batch=1, runtime=given.runtime, needed="max_latency" in limits
    )
    curves = [*rows.sweeps(folder, dataset)[1], *rows.checkpoints(folder, dataset)]
    every = recommendation.candidates(curves, latencies=timed.times)
    before, others = answer.split(every, commission.NETWORK)
    kept, others, written = _winner(given, others, _bytes(folder, every, others), limits, formats)
    share = settings.data.validation, settings.data.validation_seed
    counts = tensors.split_sizes(folder / "data" / dataset, *share)
    print(
        f"images     {counts['train']} to train on, {counts['val']} to validate on (one is "
        f"{100 / counts['val']:.2f} points), {counts['test']} to test on, "
        f"{settings.data.size} pixels"
    )
    block = settings.prune.hyperparameters["channel"]["round_to"]
    widths = "" if block == 1 else f" (filters in multiples of {block})"
    print(
        f"tried      {len(others)} networks: {given.prune} pruning{widths} at "
        f"{len(settings.prune.levels)} levels, tuned for {settings.prune.finetune.epochs} epochs; "
        f"{duration(seconds)}"
    )
    dense = folder / "models/teachers" / f"{dataset}-{commission.NETWORK}.safetensors"
    if kept and kept[0].latency_ms is None:
        before = replace(before, latency_ms=None)
    print(f"before     {answer.figures(before, counts['test'], dense.stat().st_size)}")
    if not kept:
        print(f"none of them is within the limits ({_told(limits)}); nearest:")
        for item in recommendation.shortfalls(others, limits):
            print(f"           {printable(_missed(item))}; {answer.named(item.nearest)}")
        return 1
    best, out = kept[0], folder / EXPORT
    print(f"after      {answer.figures(best, counts['test'], written['safetensors'])}")
    print(f"winner     {printable(answer.named(best))}")
    if len(kept) > 1:
        print(f"runner-up  {printable(answer.named(kept[1]))}, {kept[1].params:,} parameters")
    if best.masked:
        print("           its zeros make it no faster: for speed, --prune channel")
    if timed.runtime and best.latency_ms is not None:
        noise = "" if best.steady else "; noise: time it again while nothing else runs"
        print(
            f"time       one image, in {latencies.NAMES[timed.runtime]} on {timed.devices}{noise}"
        )
    files = (f"{FILES[form]} ({written[form]:,} bytes)" for form in formats)
    print(f"files      {out}: {', '.join(files)}, certificate.json")
    print(f"go on      cd {folder}; kdprune recommend, dvc exp run -S …")
    return 0


def _winner(
    given: argparse.Namespace,
    others: "Sequence[Candidate]",
    base: Sequence[float],
    limits: dict[str, float],
    formats: list[str],
) -> "tuple[list[Candidate], list[Candidate], dict[str, int]]":
    """Export the best of `others`; return those within the limits, all of them, and its bytes.

    A file takes the bytes that `base` says, until one is written; then as many times as much as
    that took. So the last to be written is the best, and keeps to --max-bytes by its own files.
    Only that takes the place of an earlier answer's.
    """
    from kdprune.deployment import answer

    exact: dict[int, int] = {}
    written: dict[str, int] = {}
    factor, last = 1.0, -1
    while True:
        sized = [
            replace(one, bytes=exact.get(at, round(base[at] * factor)))
            for at, one in enumerate(others)
        ]
        kept = answer.chosen(sized, limits)
        if not kept:
            shutil.rmtree(given.out / TRIED, ignore_errors=True)
            return [], sized, {}
        if (best := sized.index(kept[0])) == last:
            shutil.rmtree(given.out / EXPORT, ignore_errors=True)
            (given.out / TRIED).rename(given.out / EXPORT)
            return kept, sized, written
        written, last = _export(given, others[best], formats), best
        exact[best] = max(written.values())
        factor = exact[best] / base[best]


def _bytes(
    folder: Path, every: "Sequence[Candidate]", others: "Sequence[Candidate]"
) -> list[float]:
    """Return what a file of each of `others` should take, by the checkpoint of it unpruned."""
    from kdprune.deployment.recommendation import TRAINED
    from kdprune.study import paths

    each = {}  # parameter
    for one in every:
        if one.method == TRAINED:
            path = folder / paths.checkpoint(one.role, f"{one.dataset}-{one.network}")
            each[one.network] = path.stat().st_size / one.stored_params
    return [each[one.network] * one.stored_params for one in others]


def _export(given: argparse.Namespace, best: "Candidate", formats: list[str]) -> dict[str, int]:
    """Write a candidate's files; return their sizes in bytes by form."""
    from kdprune.cli import export
    from kdprune.deployment import recommendation
    from kdprune.records import read_json

    folder, method = given.out, best.method
    if method == recommendation.UNPRUNED:
        method = "weight" if given.prune == "weight" else "channel"
    asked = argparse.Namespace(
        network=f"{best.dataset}-{best.network}-{method}",
        method=None,
        level=best.level,
        breakpoint=False,
        as_trained=False,
        coding=None,
        format=",".join(formats),
        out=folder / TRIED,
        data=None,
        project=folder,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        export.run(asked)
    held = read_json(folder / TRIED / "certificate.json")["forms"]
    return {form: held[form]["bytes"] for form in formats}


def _told(limits: dict[str, float]) -> str:
    return ", ".join(f"--{name.replace('_', '-')} {value:,g}" for name, value in limits.items())


def _missed(item: "Shortfall") -> str:
    option, unit = f"--{item.limit.replace('_', '-')}", LIMITS[item.limit]
    if math.isinf(item.excess):
        return f"{option}, whose latency is not known"
    return f"{option}, {item.excess:{',.0f' if unit in WHOLE else '.3g'}} {unit} over"

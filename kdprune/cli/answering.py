"""What `kdprune compress` answers, from the study that it has run."""

import argparse
import contextlib
import io
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from kdprune.terminal import printable

if TYPE_CHECKING:
    from kdprune.deployment.recommendation import Candidate, Shortfall

LIMITS = {"max_drop": "points", "max_params": "parameters", "max_latency": "ms"}


def answer(given: argparse.Namespace, formats: list[str], seconds: float) -> int:
    """Print the answer in ten lines, and export the winner; return 1 where there is none."""
    from kdprune.config import params as parameters
    from kdprune.deployment import answer, recommendation
    from kdprune.progress import duration
    from kdprune.records import read_json
    from kdprune.study import commission, latencies, rows

    folder, dataset = given.out, commission.DATASET
    settings = parameters.load(folder / "params.yaml")
    limits = {name: getattr(given, name) for name in LIMITS if getattr(given, name) is not None}
    timed = latencies.latencies(
        folder, dataset, batch=1, runtime=None, needed="max_latency" in limits
    )
    curves = [*rows.sweeps(folder, dataset)[1], *rows.checkpoints(folder, dataset)]
    every = recommendation.candidates(curves, latencies=timed.times)
    before, others = answer.split(every, commission.NETWORK)
    kept = answer.chosen(others, limits)
    counts = read_json(folder / "data" / dataset / "manifest.json")["images"]
    held = round(counts["train"] * settings.data.validation)
    print(
        f"images     {counts['train'] - held} to train on, {held} to validate on (one is "
        f"{100 / held:.2f} points), {counts['test']} to test on, {settings.data.size} pixels"
    )
    print(
        f"tried      {len(others)} networks: {given.prune} pruning at {len(settings.prune.levels)} "
        f"levels, tuned for {settings.prune.finetune.epochs} epochs; {duration(seconds)}"
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
    best, out = kept[0], folder / "export"
    written = _export(given, best, formats)
    print(f"after      {answer.figures(best, counts['test'], written.pop('safetensors'))}")
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
    print(f"files      {out}: network.safetensors{''.join(_more(formats))}, certificate.json")
    print(f"go on      cd {folder}; kdprune recommend, dvc exp run -S …")
    return 0


def _more(formats: list[str]) -> list[str]:
    return [f", network.{form}" for form in formats if form != "safetensors"]


def _export(given: argparse.Namespace, best: "Candidate", formats: list[str]) -> dict[str, int]:
    """Write the winner's files to export/; return their sizes in bytes by form."""
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
        bits=8,
        format=",".join(formats),
        out=folder / "export",
        data=None,
        project=folder,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        export.run(asked)
    held = read_json(folder / "export" / "certificate.json")["forms"]
    return {form: held[form]["bytes"] for form in formats}


def _told(limits: dict[str, float]) -> str:
    return ", ".join(f"--{name.replace('_', '-')} {value:,g}" for name, value in limits.items())


def _missed(item: "Shortfall") -> str:
    option, unit = f"--{item.limit.replace('_', '-')}", LIMITS[item.limit]
    if math.isinf(item.excess):
        return f"{option}, whose latency is not known"
    return f"{option}, {item.excess:{',.0f' if unit == 'parameters' else '.3g'}} {unit} over"

"""Measure bytes and milliseconds of each network, unpruned and pruned to its breakpoints."""

from pathlib import Path

import pandas as pd
import torch

from kdprune import device, models
from kdprune.config.params import load
from kdprune.deployment import measure
from kdprune.models import counts
from kdprune.pruning import METHODS
from kdprune.pruning.pruned import Pruned
from kdprune.records import IDENTITY, write_csv
from kdprune.reporting.sections.deployment import write
from kdprune.study import paths
from kdprune.study.rows import breakpoint_level


def main() -> None:
    """Write what the grid's networks cost on this machine: of all results, these alone may vary."""
    params, rows = load(), []
    networks: dict[str, list[dict[str, str]]] = {}
    for item in params.grid["sweeps"].values():
        networks.setdefault(item["checkpoint"], []).append(item)
    threads = torch.get_num_threads()
    for checkpoint, sweeps in networks.items():
        model, _ = models.load(checkpoint, device.choose())
        torch.set_num_threads(threads)
        device.limit_threads(counts.macs(model))
        who = {name: sweeps[0][name] for name in IDENTITY}
        variants = {"none": Pruned(0.0, 0.0, 0.0, model)}
        for method in (item["method"] for item in sweeps):
            level = breakpoint_level(Path(), who, method)
            if level:  # else nothing is pruned at the breakpoint
                settings = params.prune.hyperparameters[method]
                variants[method] = next(METHODS[method](model, [level], **settings))
        rows += [{**who, **row} for row in measure.compare(variants)]
    write_csv(paths.METRICS / "measure.csv", table := pd.DataFrame(rows))
    write(table, paths.PLOTS / "deployment.md", paths.PLOTS / "deployment.html")

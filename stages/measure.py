"""Measure bytes and milliseconds of each network, unpruned and pruned to its breakpoints."""

from pathlib import Path

import pandas as pd
import torch

from kdprune import counts, deployment, device, models
from kdprune.cli.project import breakpoint_level
from kdprune.files import write_csv
from kdprune.grid import IDENTITY
from kdprune.params import load
from kdprune.pruning import METHODS
from kdprune.pruning.pruned import Pruned
from kdprune.reporting.deployment import write
from stages import paths


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
                hyperparameters = params.prune.__pydantic_extra__[method]
                variants[method] = next(METHODS[method](model, [level], **hyperparameters))
        rows += [{**who, **row} for row in deployment.compare(variants)]
    table = pd.DataFrame(rows)
    write_csv(paths.METRICS / "measure.csv", table)
    write(table, paths.PLOTS / "deployment.md", paths.PLOTS / "deployment.html")

"""Measure bytes and milliseconds of one network, unpruned and pruned to its breakpoints."""

import sys
from pathlib import Path

import pandas as pd

from kdprune import device, models
from kdprune.config.params import load
from kdprune.deployment import measure
from kdprune.models import counts
from kdprune.pruning import METHODS
from kdprune.pruning.pruned import Pruned
from kdprune.records import IDENTITY, write_csv
from kdprune.reporting.sections.deployment import write
from kdprune.study import costs, networks, paths
from kdprune.study.rows import breakpoint_level


def main(key: str) -> None:
    """Write what a network costs on this machine: of all results, these alone may vary."""
    params = load()
    checkpoint = Path(params.grid["networks"][key]["checkpoint"])
    sweeps = [item for item in params.grid["sweeps"].values() if networks.key(item) == key]
    who = {name: sweeps[0][name] for name in IDENTITY}
    levels = {item["method"]: breakpoint_level(Path(), who, item["method"]) for item in sweeps}
    if checkpoint.is_file():
        model, _ = models.load(checkpoint, device.choose())
        device.limit_threads(counts.macs(model))
        variants = {costs.UNPRUNED: Pruned(0.0, 0.0, 0.0, model)}
        for method in (method for method, level in levels.items() if level):  # else none is pruned
            settings = params.prune.hyperparameters[method]
            variants[method] = next(METHODS[method](model, [levels[method]], **settings))
        rows = pd.DataFrame([{**who, **row} for row in measure.compare(variants)])
    else:  # `dvc repro --allow-missing`
        print(f"{key}: is not measured; `dvc pull {checkpoint}` gets it", file=sys.stderr)
        rows = costs.still_true(key, levels)
    write_csv(paths.MEASURE, table := costs.replaced(params, key, rows))
    if len(table):
        write(table, paths.PLOTS / "deployment.md", paths.PLOTS / "deployment.html")

"""Measure bytes and milliseconds of one network, unpruned and pruned to its breakpoints."""

import sys
from functools import partial
from pathlib import Path

import pandas as pd

from kdprune import device, methods, models
from kdprune.config.params import load
from kdprune.deployment import measure
from kdprune.models import counts
from kdprune.pruning import application
from kdprune.pruning.pruned import Pruned
from kdprune.records import write_csv
from kdprune.reporting.sections.deployment import write
from kdprune.study import costs, images, paths, tables
from stages.runner.stale import only


def main(key: str) -> None:
    """Write what a network costs on this machine: of all results, these alone may vary."""
    checkpoint = Path((params := load()).grid["networks"][key]["checkpoint"])
    who, levels = costs.breakpoints(params, key)
    rows = costs.still_true(key, levels)
    known = {*rows.get("method", [])} == {*levels} and only("measure", key, costs.OF_ALL)
    if not checkpoint.is_file():
        print(f"{checkpoint}: is not here to be measured; `dvc pull` gets it", file=sys.stderr)
    elif not known:
        model, told = models.load(checkpoint, device.choose())
        device.limit_threads(counts.macs(model))
        variants = {costs.UNPRUNED: Pruned(0.0, 0.0, 0.0, model)}
        read = partial(images.tensors, who["dataset"], params, told)
        for method, level in list(levels.items())[1:]:
            how = [level], params.prune.hyperparameters[(name := methods.parts(method)[0])], read
            variants[method] = next(application.prune(name, model, *how, paths.sparse(key, name)))
        rows = pd.DataFrame([{**who, **row} for row in measure.compare(variants)])
    write_csv(paths.MEASURE, table := costs.replaced(params, key, rows))
    if len(table):
        write(table, tables.read(paths.BREAKPOINTS.with_suffix(".csv")), paths.PLOTS)

"""Measure bytes and milliseconds of one network, unpruned and pruned to its breakpoints."""

import sys
from pathlib import Path

import pandas as pd

from kdprune import device, models
from kdprune.config.params import load
from kdprune.deployment import measure
from kdprune.models import counts
from kdprune.records import write_csv
from kdprune.reporting.sections.deployment import write
from kdprune.study import costs, paths, tables, variants
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
        here = variants.here(key, levels)
        networks = variants.made(params, key, who["dataset"], model, told, here)
        fresh = pd.DataFrame([{**who, **row} for row in measure.compare(networks)])
        kept = [rows[~rows.method.isin(here)]] if len(rows) else []  # of those that are not here
        rows = pd.concat([fresh, *kept], ignore_index=True)
    write_csv(paths.MEASURE, table := costs.replaced(params, key, rows))
    if len(table):
        write(table, tables.derived("breakpoints"), paths.PLOTS)

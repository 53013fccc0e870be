"""Find each pruning curve's breakpoint."""

from kdprune.analysis.breakpoints import breakpoints
from kdprune.config.params import load
from kdprune.records import network, write_csv, write_json
from kdprune.study import paths, tables


def main() -> None:
    """Locate the breakpoints of all sweeps of the grid."""
    params = load()
    table = breakpoints(tables.sweeps(params), **params.breakpoints.model_dump())
    named = table.assign(network=table.apply(network, axis=1))
    write_csv(paths.BREAKPOINTS.with_suffix(".csv"), table)
    figures = ["level", "nonzero_params", "test_accuracy", "censored"]
    summary = tables.nested(named, ["dataset", "network", "method"], figures)
    write_json(paths.BREAKPOINTS.with_suffix(".json"), summary)

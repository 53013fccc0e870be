"""Compute Performance Efficiency before pruning and at the breakpoints."""

from kdprune.analysis.efficiency import efficiency
from kdprune.config.params import load
from kdprune.records import network, write_csv, write_json
from kdprune.study import paths, tables


def main() -> None:
    """Score all networks of the grid in all conditions."""
    params = load()
    table = efficiency(
        tables.derived("breakpoints"),
        tables.checkpoints(params),
        **params.efficiency.model_dump(),
    )
    named = table.assign(network=table.apply(network, axis=1))
    write_csv(paths.EFFICIENCY.with_suffix(".csv"), table)
    figures = ["accuracy", "params", "efficiency"]
    summary = tables.nested(named, ["dataset", "network", "condition"], figures)
    write_json(paths.EFFICIENCY.with_suffix(".json"), summary)

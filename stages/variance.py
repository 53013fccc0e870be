"""Split the variance of the results into that of pairs, of trainings and of their tuning."""

from kdprune.analysis.variance import variance
from kdprune.config.params import load
from kdprune.records import write_csv
from kdprune.study import paths, tables


def main(_: str) -> None:
    """Write metrics/variance.csv, for a study that trains each pair several times."""
    params = load()
    table = variance(tables.sweeps(params), **params.breakpoints.model_dump())
    write_csv(paths.VARIANCE, table)

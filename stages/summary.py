"""Summarise a data set's study: the numbers of `dvc metrics show` and `dvc exp show`."""

from kdprune.analysis.summary import summary
from kdprune.records import write_json
from kdprune.study import paths, tables


def main(dataset: str) -> None:
    """Write the summary of `dataset`."""
    parts = [tables.derived(name) for name in ("breakpoints", "efficiency", "significance")]
    write_json(paths.summary(dataset), summary(*(part[part.dataset == dataset] for part in parts)))

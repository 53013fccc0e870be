"""Test the differences between conditions over the pairs."""

from kdprune.analysis.significance import significance
from kdprune.config.params import load
from kdprune.records import write_csv, write_json
from kdprune.study import paths, tables


def main() -> None:
    """Compare every two conditions that are present."""
    params = load()
    table = significance(tables.derived("efficiency"), **params.significance.model_dump())
    write_csv(paths.SIGNIFICANCE.with_suffix(".csv"), table)
    contrast = table["first"] + " - " + table["second"]
    group = table.role + table.distill.where(table.distill == "", "-" + table.distill)
    named = table.assign(contrast=contrast, group=group)
    figures = ["n", "mean_difference", "t", "p", "holm_p", "ratio"]
    summary = tables.nested(named, ["dataset", "group", "contrast"], figures)
    write_json(paths.SIGNIFICANCE.with_suffix(".json"), summary)

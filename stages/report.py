"""Draw the figures, and write the report and the tables behind them."""

import tempfile
from pathlib import Path

from kdprune.config.params import load
from kdprune.home import located
from kdprune.records import write_csv
from kdprune.reporting import report
from kdprune.reporting.document import html
from kdprune.reporting.figures import data, pictures
from kdprune.study import epochs, paths, tables
from kdprune.study.settings import settings

PAGE = located(".dvc/plots_page.html")  # holds Vega-Lite for `dvc plots`, too


def main() -> None:
    """Write plots/ from the tables of the grid."""
    params = load()
    results, learned = tables.results(params), tables.learned(params)
    results |= {"attribution": tables.taken_apart(), "trajectories": tables.trained_on_the_way()}
    results["spent"] = epochs.spent(params, results["breakpoints"], learned)
    confidence, layers = params.significance.confidence, results["layers"]
    for name, table in data.tables(results, layers, learned).items():
        write_csv(paths.PLOTS / f"{name}.csv", table)
    with tempfile.TemporaryDirectory() as scratch:
        where = paths.PLOTS, Path(scratch)
        drawn = pictures.save(results, layers, *where, confidence=confidence, learned=learned)
        report.write(
            paths.PLOTS / "report.md",
            paths.PLOTS / "report.html",
            **results,
            **{"figures": drawn, "settings": settings(params)},
            rule=params.breakpoints.model_dump(),
            confidence=confidence,
            interval=params.breakpoints.confidence,
            count=params.efficiency.count,
            library=html.libraries(PAGE),
        )

"""Draw the figures, and write the report and the tables behind them."""

from kdprune import plotstyle, plotting, reporting
from kdprune.files import write_csv
from kdprune.params import load
from stages import paths, plotdata, tables


def main() -> None:
    """Write plots/ from the tables of the grid."""
    params = load()
    results, layers = tables.results(params), tables.layers(params)
    sweeps, found, scored = (results[key] for key in ("sweeps", "breakpoints", "efficiency"))
    drawn = {
        "accuracy": plotting.accuracy_curves(sweeps, found),
        "efficiency": plotting.efficiency_points(scored),
        "layers": plotting.layer_sparsity(layers, found),
        "pairs": plotting.paired_comparison(scored),
    }
    figures = {name: paths.PLOTS / f"{name}.svg" for name in drawn}
    for name, figure in drawn.items():
        plotstyle.save(figure, figures[name])
    for name, table in plotdata.tables(results, layers, tables.learned(params)).items():
        write_csv(paths.PLOTS / f"{name}.csv", table)
    reporting.write(
        paths.PLOTS / "report.md",
        paths.PLOTS / "report.html",
        **results,
        figures=figures,
        settings=tables.settings(params),
        confidence=params.significance.confidence,
        interval=params.breakpoints.confidence,
        count=params.efficiency.count,
    )

"""Draw the figures, and write the report and the tables behind them."""

from kdprune.config.params import load
from kdprune.records import write_csv
from kdprune.reporting import report
from kdprune.reporting.figures import data, drawing, style
from kdprune.study import paths, tables


def main() -> None:
    """Write plots/ from the tables of the grid."""
    params = load()
    results = tables.results(params)
    sweeps, breakpoints, scored = (results[key] for key in ("sweeps", "breakpoints", "efficiency"))
    layers = results["layers"]
    drawn = {
        "accuracy": drawing.accuracy_curves(sweeps, breakpoints),
        "efficiency": drawing.efficiency_points(scored),
        "layers": drawing.layer_sparsity(layers, breakpoints),
        "pairs": drawing.paired_comparison(scored),
    }
    figures = {name: paths.PLOTS / f"{name}.svg" for name in drawn}
    for name, figure in drawn.items():
        style.save(figure, figures[name])
    for name, table in data.tables(results, layers, tables.learned(params)).items():
        write_csv(paths.PLOTS / f"{name}.csv", table)
    report.write(
        paths.PLOTS / "report.md",
        paths.PLOTS / "report.html",
        **results,
        figures=figures,
        settings=tables.settings(params),
        confidence=params.significance.confidence,
        interval=params.breakpoints.confidence,
        count=params.efficiency.count,
    )

"""Draw the figures, and write the tables behind them."""

from kdprune import plotstyle, plotting
from kdprune.files import write_csv
from kdprune.params import load
from stages import paths, tables


def main() -> None:
    """Write plots/ from the tables of the grid."""
    params = load()
    sweeps, layers = tables.sweeps(params), tables.layers(params)
    found = tables.read(paths.BREAKPOINTS.with_suffix(".csv"))
    scored = tables.read(paths.EFFICIENCY.with_suffix(".csv"))
    drawn = {
        "accuracy": plotting.accuracy_curves(sweeps, found),
        "efficiency": plotting.efficiency_bars(scored),
        "layers": plotting.layer_sparsity(layers, found),
        "pairs": plotting.paired_comparison(scored),
    }
    for name, figure in drawn.items():
        plotstyle.save(figure, paths.PLOTS / f"{name}.svg")
    for name, table in tables.for_plots(sweeps, scored, params).items():
        write_csv(paths.PLOTS / f"{name}.csv", table)

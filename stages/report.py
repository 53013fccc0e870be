"""Draw the figures, and write the tables behind them."""

from kdprune import plotstyle, plotting
from kdprune.files import write_csv
from kdprune.params import load
from stages import paths, plotdata, tables


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
    keys = [*params.grid["teachers"], *params.grid["students"]]
    behind = {
        "accuracy": plotdata.accuracy(sweeps, found),
        "efficiency": plotdata.efficiency(scored),
        "layers": plotdata.layers(layers, found),
        "learning": plotdata.learning((key, tables.read(paths.learning(key))) for key in keys),
    }
    for name, table in behind.items():
        write_csv(paths.PLOTS / f"{name}.csv", table)

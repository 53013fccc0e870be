"""Figures: DataFrame to matplotlib Figure. Nothing is shown and nothing global is changed."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from kdprune.records import IDENTITY
from kdprune.reporting.figures.style import COLOURS, NAMES, STYLE, legend, panels


def with_network_names(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with a column `network`: "teacher → student", or "teacher".

    The distillation method is part of the name where the table holds several.
    """
    names = table.teacher.where(table.student == "", table.teacher + " → " + table.student)
    if len(set(table.distill) - {""}) > 1:
        names = names.where(table.distill == "", names + " (" + table.distill + ")")
    return table.assign(network=names)


def removed_at_breakpoints(layers: pd.DataFrame, breakpoints: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `layers` at each curve's breakpoint.

    Adds `network`, `removed` (the share of the layer's weights that is gone, in percent) and
    `depth` (the layer's position from the input, from 1).
    """
    where = [*IDENTITY, "method", "level"]
    at = layers.merge(breakpoints[where], on=where)
    at = with_network_names(at).assign(removed=100 * (1 - at.nonzero_params / at.params))
    return at.assign(depth=at.groupby([*IDENTITY, "method"]).cumcount() + 1)


def accuracy_curves(sweeps: pd.DataFrame, breakpoints: pd.DataFrame) -> Figure:
    """Draw test accuracy (percent) against remaining parameters, a panel per network.

    Lines are means over seeds, bands one standard deviation; a ring marks each breakpoint, which
    was found on validation accuracy. The paper's figures 1 and 2.
    """
    table, breakpoints = with_network_names(sweeps), with_network_names(breakpoints)
    networks = list(dict.fromkeys(zip(table.dataset, table.role, table.network, strict=True)))
    figure, axes = panels(len(networks), f"n = {table.seed.nunique()} seeds")
    for axis, (dataset, role, network) in zip(axes, networks, strict=False):
        part = table[(table.dataset == dataset) & (table.role == role) & (table.network == network)]
        part = part.assign(millions=part.nonzero_params / 1e6)
        for method, curve in part.groupby("method", sort=False):
            colour = COLOURS.get(method)
            sns.lineplot(
                curve,
                x="millions",
                y="test_accuracy",
                errorbar="sd",
                ax=axis,
                color=colour,
                marker="o",
                markersize=3,
                markeredgewidth=0,
                label=NAMES.get(method, method),
                legend=False,
            )
            mine = breakpoints[
                (breakpoints.dataset == dataset)
                & (breakpoints.role == role)
                & (breakpoints.network == network)
                & (breakpoints.method == method)
            ]
            axis.plot(
                mine.nonzero_params / 1e6,
                mine.test_accuracy,
                "o",
                markersize=9,
                markerfacecolor="none",
                color=colour,
                markeredgewidth=1.6,
                clip_on=False,  # a ring at the edge stays whole
            )
        axis.set_title(f"{network} ({dataset}{', teacher' if role == 'teacher' else ''})")
        axis.set(xlabel="remaining parameters (millions)", ylabel="test accuracy (%)")
        axis.set_ylim(bottom=0)
        axis.invert_xaxis()  # pruning goes from left to right
    legend(figure, axes, extra="ring: breakpoint")
    return figure


def efficiency_points(table: pd.DataFrame) -> Figure:
    """Draw each network's efficiency (percent per 1e7 parameters), a panel per data set and role.

    The scale is logarithmic, as efficiencies span orders of magnitude: points, for bars have no
    length on it. The paper's figures 3 and 4.
    """
    table = with_network_names(table)
    parts = list(table.groupby(["dataset", "role"], sort=False))
    widest = max(part.network.nunique() for _, part in parts)
    figure, axes = panels(len(parts), columns=1, width=max(6.0, 1.1 * widest), height=3.4)
    for axis, ((dataset, role), part) in zip(axes, parts, strict=False):
        with mpl.rc_context(STYLE):
            sns.stripplot(
                part,
                x="network",
                y="efficiency",
                hue="condition",
                palette=COLOURS,
                size=7,
                jitter=False,
                dodge=True,
                ax=axis,
                legend=False,
            )
        for condition in part.condition.unique():
            colour, name = COLOURS.get(condition), NAMES.get(condition, condition)
            axis.plot([], [], "o", color=colour, label=name)
        axis.set_yscale("log")
        axis.set_title(f"Performance Efficiency, {dataset}, {role}s")
        axis.set(xlabel="", ylabel="efficiency (% per 1e7 parameters)")
        axis.tick_params(axis="x", rotation=30)
        for label in axis.get_xticklabels():
            label.set_horizontalalignment("right")
    legend(figure, axes)
    return figure


def layer_sparsity(layers: pd.DataFrame, breakpoints: pd.DataFrame) -> Figure:
    """Draw what each layer lost at the breakpoint, by depth, a panel per network.

    The paper's figure 5. Share of the layer's weights removed, in percent.
    """
    at = removed_at_breakpoints(layers, breakpoints)
    parts = list(at.groupby(["dataset", "role", "network"], sort=False))
    figure, axes = panels(len(parts), height=2.4)
    for axis, ((dataset, _, network), part) in zip(axes, parts, strict=False):
        for method, curve in part.groupby("method", sort=False):
            axis.step(
                curve.depth,
                curve.removed,
                where="mid",
                color=COLOURS.get(method),
                label=NAMES.get(method, method),
            )
        axis.set_title(f"{network} ({dataset})")
        axis.set(xlabel="layer, from input to output", ylabel="weights removed (%)", ylim=(0, 100))
    legend(figure, axes)
    return figure


def paired_comparison(table: pd.DataFrame) -> Figure:
    """Draw each student's efficiency under both prunings, joined by a line.

    The paper's figure 6.
    """
    students = table[(table.role == "student") & table.condition.isin(["weight", "channel"])]
    students = with_network_names(students)
    datasets = list(students.groupby("dataset", sort=False))
    figure, axes = panels(max(1, len(datasets)), height=3.6)
    for axis in axes[len(datasets) :]:
        axis.set_title("No pruned students in this grid")
    for axis, (dataset, part) in zip(axes, datasets, strict=False):
        wide = part.pivot_table(index="network", columns="condition", values="efficiency")
        wide = wide.reindex(columns=["channel", "weight"]).dropna()
        axis.set_title(f"Students at their breakpoints, {dataset} (n = {len(wide)} pairs)")
        axis.set_xticks([0, 1], [NAMES[name] for name in wide.columns])
        axis.set(xlim=(-0.3, 1.9), ylabel="efficiency (% per 1e7 parameters)")
        if wide.empty:  # one of the prunings was not swept
            continue
        axis.set_yscale("log")
        for name, row in wide.iterrows():
            axis.plot([0, 1], row, "-", color="#B0B0B0", zorder=1)
            axis.annotate(name, (1, row.weight), (4, -3), textcoords="offset points", fontsize=7)
        for place, method in enumerate(wide.columns):
            axis.scatter(np.full(len(wide), place), wide[method], color=COLOURS[method], zorder=2)
    return figure

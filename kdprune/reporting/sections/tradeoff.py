"""Accuracy against what a network costs where it runs: time, bytes or parameters, by choice."""

import pandas as pd

from kdprune.analysis.replicates import apart
from kdprune.records import IDENTITY
from kdprune.reporting.document.blocks import Chart, Section
from kdprune.reporting.document.formats import condition, counted, dataset, network, taught
from kdprune.reporting.figures.looks import looks
from kdprune.reporting.figures.pareto import TEACHERS, spec

TITLE = "Accuracy against cost"
RUNTIMES = {"onnx": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch"}
UNPRUNED = "none"
FILES = ["dense_bytes", "zstd_bytes", "sparse_bytes"]
CURVE = [*IDENTITY, "method"]


def section(measured: pd.DataFrame, breakpoints: pd.DataFrame) -> Section | None:
    """Return the section with its chart; None where no pruned network was measured.

    `measured` are the rows of metrics/measure.csv, `breakpoints` those of metrics/breakpoints.csv.
    """
    rows, axes = table(apart(measured), apart(breakpoints))
    if rows.empty:
        return None
    caption = (
        "Each line is a network by one pruning, from unpruned to its breakpoint, the large mark. "
        "The grey line joins the networks that no other beats in both cost and accuracy. Up and to "
        "the left is better. Choose the cost above the chart. Times are those of this machine. A "
        "time that did not settle is left out."
    )
    finding = f"{counted(len(rows) // 2, 'pruned network')} beside themselves unpruned."
    known = looks(breakpoints.method)
    return Section(TITLE, [Chart("What accuracy costs", caption, finding, spec(rows, known, axes))])


def table(measured: pd.DataFrame, breakpoints: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a row for each end of each line, and the costs to choose from: {words: column}."""
    times = {
        f"ms a pass of {counted(batch, 'image')}, {RUNTIMES[runtime]}": (runtime, batch)
        for runtime, batch in measured[["runtime", "batch"]].drop_duplicates().to_numpy()
    }
    axes = {name: f"ms{place}" for place, name in enumerate(times)}
    wide = measured.drop_duplicates(CURVE).set_index(CURVE)
    for name, (runtime, batch) in times.items():
        own = measured[(measured.runtime == runtime) & (measured.batch == batch) & measured.steady]
        wide[axes[name]] = own.set_index(CURVE).latency_ms_p25.round(4)
    times_of = list(axes.values())
    axes |= {"megabytes, smallest file": "megabytes", "parameters (millions)": "params"}
    rows = []
    for place, curve in enumerate(breakpoints.to_dict("records")):
        who = tuple(curve[name] for name in IDENTITY)
        if not curve["level"] or (*who, curve["method"]) not in wide.index:
            continue  # it broke at once, or was not measured
        ends = (UNPRUNED, 0.0, "dense_test_accuracy"), (curve["method"], curve["level"], "")
        for method, level, accuracy in ends:
            cost = wide.loc[(*who, method)]
            rows.append(
                {
                    "set": dataset(curve["dataset"]),
                    "by": taught(curve["distill"]) if curve["distill"] else TEACHERS,
                    "network": network(curve),
                    "curve": place,
                    "pruning": condition(curve["method"]),
                    "level": round(100 * level, 1),
                    "accuracy": round(curve[accuracy or "test_accuracy"], 2),
                    "broke": int(bool(level)),
                    "megabytes": round(cost[FILES].min() / 1e6, 4),
                    "params": round(cost.nonzero_params / 1e6, 4),
                    **{column: cost[column] for column in times_of},
                }
            )
    return pd.DataFrame(rows), axes

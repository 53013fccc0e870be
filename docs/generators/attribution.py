"""What the loss at the breakpoint is made of, in the published study that asked."""

from pathlib import Path

import pandas as pd

from kdprune.reporting.sections.attribution import STEPS

STUDY = "attribution"


def table(root: Path) -> str:
    """Return the test accuracies, a row per step, a column per pruning."""
    rows = pd.read_csv(root / "studies" / STUDY / "metrics/attribution.csv")
    wide = rows.pivot_table("test_accuracy", "step", ["method", "level"], sort=False)
    epochs = rows.groupby("step").epochs.first()
    heads = [f"{method}, {100 * level:.0f} % gone" for method, level in wide.columns]
    lines = [
        f"| test accuracy, % | epochs | {' | '.join(heads)} |",
        f"|---|---|{'---|' * len(heads)}",
    ]
    for step, label in STEPS.items():
        cells = [f"{value:.1f}" for value in wide.loc[step]]
        lines.append(f"| {label} | {epochs[step]} | {' | '.join(cells)} |")
    return "\n".join(["", *lines, "", ""])

"""What many prunings of one network leave of its accuracy, from studies/prunings: a table."""

from pathlib import Path

import pandas as pd

from kdprune.config.grid import names
from kdprune.config.params import Params, load

STUDY = "prunings"
CHANCE = {"weights": "random", "channels": "random_channel"}


def table(root: Path) -> str:
    """Return each pruning's test accuracy by level, and how far it is above chance of its kind."""
    folder = root / "studies" / STUDY
    params = load(folder / "params.yaml")
    swept = sweeps(folder)
    kind = {name: kind_of(rows) for name, rows in swept.groupby("method")}
    levels = [level for level in params.prune.levels if level > 0]
    heads = [f"{level:.0%} pruned" for level in levels]
    lines = [
        "",
        f"| what goes | pruning | epochs | {' | '.join(heads)} | above chance at {heads[-1]} |",
        f"|---|---|---:|{'---:|' * len(heads)}---:|",
    ]
    accuracy = swept.pivot_table(index=["method", "seed"], columns="level", values="test_accuracy")
    for part, chance in CHANCE.items():
        some = sorted(
            (name for name in names(params.prune.method) if kind[name] == part),
            key=lambda name: -accuracy.loc[name].mean()[levels[-1]],
        )
        for name in some:
            cells = [shown(accuracy.loc[name][level]) for level in levels]
            over = accuracy.loc[name][levels[-1]] - accuracy.loc[chance][levels[-1]]
            above = "–" if name == chance else f"{over.mean():+.1f} ({each(over)})"
            cost = epochs(params, folder, name)
            lines.append(f"| {part} | {name} | {cost} | {' | '.join(cells)} | {above} |")
    dense = swept[swept.level == 0].groupby("seed").test_accuracy.mean()
    count = swept.seed.nunique()
    return "\n".join(
        [
            *lines,
            "",
            f"Test accuracy in percent, mean of n = {count} seeds of the tuning, each in brackets. "
            f"Unpruned and tuned alike, the network has {shown(dense)}.",
            "",
        ]
    )


def sweeps(folder: Path) -> pd.DataFrame:
    """Return all of the study's sweeps as one table."""
    files = sorted((folder / "metrics/sweeps").glob("*.csv"))
    return pd.concat([pd.read_csv(file) for file in files], ignore_index=True)


def kind_of(rows: pd.DataFrame) -> str:
    """Say what a sweep takes: channels make the network smaller, weights are set to zero."""
    return "channels" if rows.params.min() < rows.params.max() else "weights"


def shown(values: pd.Series) -> str:
    """Return the mean, and each value in brackets."""
    return f"{values.mean():.1f} ({each(values)})"


def each(values: pd.Series) -> str:
    """Return each of some values."""
    return ", ".join(f"{value:.1f}" for value in values)


def epochs(params: Params, folder: Path, method: str) -> str:
    """Return the epochs that a level has cost: on the way to it, and of its tuning."""
    tuned = params.prune.finetune.epochs_for(method)
    way = pd.read_csv(folder / "metrics/trajectories.csv")
    spent = way[(way.method == method) & (way.level > 0)].spent
    costs = sorted({tuned + float(one) for one in spent} or {float(tuned)})
    return f"{costs[0]:g}" if len(costs) == 1 else f"{costs[0]:g} to {costs[-1]:g}"

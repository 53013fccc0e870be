"""Sections of all trained networks, of all breakpoints and of the figures."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kdprune.records import IDENTITY
from kdprune.reporting.document.blocks import Figure, Link, Section, Text, table
from kdprune.reporting.document.formats import (
    counted,
    dataset,
    distiller,
    fixed,
    millions,
    share,
    whole,
)

accuracy = fixed(2)
level = fixed(2, least=1)
NETWORK = [
    ("dataset", "Data set", None),
    ("role", "Role", None),
    ("teacher", "Teacher", None),
    ("student", "Student", None),
    ("distill", "Distilled by", None),
]
TRAINED = [
    ("test_accuracy", "Test acc. %", accuracy),
    ("val_accuracy", "Val. acc. %", accuracy),
    ("params", "Parameters deployed", whole),
    ("encoder_params", "Without projector", whole),
    ("paper_params", "With 1000 classes", whole),
    ("dead_share", "Dead weights %", share),
    ("macs", "MACs (millions)", millions),
]
BREAKPOINT = [
    ("method", "Pruning", None),
    ("level", "Level", level),
    ("level_low", "Level low", level),
    ("level_high", "Level high", level),
    ("level_tolerance", "by tolerance", level),
    ("level_kneedle", "by Kneedle", level),
    ("level_slope", "by slope", level),
    ("nonzero_params", "Parameters left", whole),
    ("left", "left %", share),
    ("macs", "MACs (millions)", millions),
    ("val_accuracy", "Val. acc. %", accuracy),
    ("test_accuracy", "Test acc. %", accuracy),
    ("test_sd", "± over seeds", accuracy),
    ("dense_test_accuracy", "Test acc. level 0 %", accuracy),
    ("n_seeds", "n seeds", whole),
    ("ends", "Curve", None),
]
FIGURES = {
    "accuracy": ("Accuracy against remaining parameters", "figures 1 and 2"),
    "efficiency": ("Performance Efficiency", "figures 3 and 4"),
    "layers": ("What each layer lost at the breakpoint", "figure 5"),
    "pairs": ("Students under both prunings", "figure 6"),
}


def figures(
    paths: Mapping[str, Path], sweeps: pd.DataFrame, curves: pd.DataFrame, scored: pd.DataFrame
) -> Section:
    """Show the figures with captions that say n, and which of the paper's they stand for."""
    counts = _counts(sweeps, curves, scored)
    blocks = []
    for name, path in paths.items():
        title, papers = FIGURES.get(name, (name.replace("_", " ").capitalize(), ""))
        said = [counts.get(name, "")]
        said.append(f"The paper's {papers}." if papers else "Not in the paper.")
        blocks.append(Figure(Path(path), title, " ".join(filter(None, said))))
    return Section("Figures", blocks or [Text("No figure was drawn.")])


def trained(networks: pd.DataFrame) -> Section:
    """List all trained networks, before any pruning."""
    frame = _named(networks)
    note = Text(
        "Deployed are all parameters that a prediction needs: for SimKD the student's encoder, the "
        "projector and the teacher's classifier. The paper's counts are those of networks with "
        "1000 classes. Dead weights are convolution weights that only ever meet zero padding: to "
        "prune them costs nothing, and proves nothing. MACs are multiply-adds for one image."
    )
    caption = f"All trained networks (n = {len(frame)}, each trained once)"
    return Section("Trained networks", [note, table(frame, [*NETWORK, *TRAINED], caption)])


def breakpoints(curves: pd.DataFrame, *, confidence: float) -> Section:
    """List all breakpoints with their intervals."""
    frame = _named(curves)
    frame["left"] = curves.nonzero_params / curves.dense_params
    broken = curves.level.map(lambda value: "broke at once" if value == 0 else "broke")
    frame["ends"] = broken.where(~curves.censored.astype(bool), "censored")
    note = Text(
        "A level is the share of convolution and linear weights that is pruned (of those that can "
        "be masked, where channels are masked). The breakpoint "
        "lies on validation accuracy averaged over seeds; low and high are its "
        f"{100 * confidence:g} % interval, bootstrapped over validation images and fine-tuning "
        "seeds; what another training would change is not in it. Drawn are as many resamples as "
        "the parameters say, and ten times as many where these leave an end within two Monte-Carlo "
        "standard errors of the next level; one that is open even then may be a level off. The "
        "next three columns say where "
        "each rule would put it. A censored curve never broke on the "
        "levels swept; one that broke at once lost too much at the first step: nothing is pruned "
        "at its breakpoint."
    )
    caption = f"All breakpoints (n = {counted(len(frame), 'curve')})"
    cost = Link(
        "What these networks cost in bytes and in milliseconds was measured on one machine:",
        "deployment numbers",
        "deployment",  # by stage measure: timings vary, so nothing of them stands here
    )
    return Section("Breakpoints", [note, table(frame, [*NETWORK, *BREAKPOINT], caption), cost])


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(dataset=frame.dataset.map(dataset), distill=frame.distill.map(distiller))


def _counts(sweeps: pd.DataFrame, curves: pd.DataFrame, scored: pd.DataFrame) -> dict[str, str]:
    """Say per figure what n is."""
    seeds = sorted(curves.n_seeds.unique()) if len(curves) else []
    per = "–".join(str(seed) for seed in dict.fromkeys([*seeds[:1], *seeds[-1:]]))
    number = counted(len(curves), "curve")
    networks = len(scored[IDENTITY].drop_duplicates())
    said = {
        "accuracy": f"n = {per} seeds per curve and level, {number}, "
        f"{counted(sweeps.level.nunique(), 'level')}; lines are means, bands one standard "
        "deviation.",
        "efficiency": f"n = {counted(networks, 'network')} in up to "
        f"{counted(scored.condition.nunique(), 'condition')}; pruned ones are means over {per} "
        "seeds.",
        "layers": f"n = {number}, each at its breakpoint.",
    }
    students = scored[(scored.role == "student") & scored.condition.isin(["weight", "channel"])]
    if len(students):
        both = students.groupby(IDENTITY).condition.nunique() == 2
        pairs = both[both].groupby("dataset", sort=False).size()
        each = ", ".join(f"{dataset(name)} {count}" for name, count in pairs.items())
        said["pairs"] = f"n pairs pruned both ways: {each or 0}; a line joins a student's two."
    return said if len(curves) else {}

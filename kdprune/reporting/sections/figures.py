"""The report's figures: what each shows, how many things it shows, and its finding in words."""

from collections.abc import Mapping

import pandas as pd

from kdprune.analysis.efficiency import BEFORE
from kdprune.records import IDENTITY
from kdprune.reporting.document.blocks import Block, Figure, Picture, Section, Text
from kdprune.reporting.document.formats import (
    condition,
    counted,
    dataset,
    listed,
    network,
    share,
    short,
    taught,
)
from kdprune.reporting.headline import headlines
from kdprune.reporting.sections.verdict import sentence

FIGURES = {
    "pairs": "Every pair, pruned in each way",
    "accuracy": "Accuracy against parameters left",
    "efficiency": "Accuracy per parameter",
    "layers": "What each layer lost at the breakpoint",
    "comparisons": "Every comparison",
    "training": "Validation accuracy while training",
}
TITLES = {
    "accuracy": "Accuracy against size",
    "efficiency": "Accuracy per parameter",
    "layers": "Where the weights went",
}


def first(
    pictures: Mapping[str, Picture], scored: pd.DataFrame, tested: pd.DataFrame, confidence: float
) -> Figure | None:
    """Return the figure of the first screen, or None where it was not drawn."""
    if "pairs" not in pictures:
        return None
    found = headlines(scored, tested)
    said = [
        sentence(item, confidence=confidence, where=dataset(item.dataset))
        + f" The mean ratio is {short(item.ratio)} ({short(item.low)} to {short(item.high)})."
        for item in found
    ]
    alt = " ".join(said) or "No student was pruned in two ways."
    count = ", ".join(f"{item.count} on {dataset(item.dataset)}" for item in found)
    role = found[0].role if found else "student"
    by = f", students {taught(found[0].distill)}" if found and role == "student" else ""
    papers = " Compare with the paper's figure 6." if role == "student" else ""
    caption = (
        f"Each mark is a {role} at its breakpoint; the vertical line is the same {role} unpruned. "
        f"n = {count or 'no pair'}{by}.{papers}"
    )
    return _figure("pairs", pictures["pairs"], caption, alt)


def sections(
    pictures: Mapping[str, Picture],
    sweeps: pd.DataFrame,
    curves: pd.DataFrame,
    scored: pd.DataFrame,
) -> list[Section]:
    """Return a section for each further figure, and one for figures of other names."""
    told = {
        "accuracy": _accuracy(sweeps, curves),
        "efficiency": _efficiency(scored, curves),
        "layers": _layers(curves),
    }
    made = [
        Section(TITLES[name], [_figure(name, pictures[name], *said)])
        for name, said in told.items()
        if name in pictures
    ]
    others: list[Block] = [
        Figure(item.path, name.replace("_", " ").capitalize(), "Not in the paper.")
        for name, item in pictures.items()
        if name not in FIGURES
    ]
    if not pictures:
        others = [Text("No figure was drawn.")]
    return [*made, *([Section("Figures", others)] if others else [])]


def comparisons(
    pictures: Mapping[str, Picture], tested: pd.DataFrame, confidence: float
) -> list[Block]:
    """Return the figure of all comparisons, where it was drawn."""
    if "comparisons" not in pictures or tested.empty:
        return []
    safe = int((tested.log_holm_p <= 1 - confidence).sum())
    alt = (
        f"{safe} of {counted(len(tested), 'comparison')} "
        f"{'is' if safe == 1 else 'are'} significant after Holm's correction."
    )
    caption = f"{alt} Dark diamonds are significant. Lines are {100 * confidence:g} % intervals."
    return [_figure("comparisons", pictures["comparisons"], caption, alt)]


def trained(pictures: Mapping[str, Picture], networks: pd.DataFrame) -> list[Block]:
    """Return the figure of the trainings, where it was drawn."""
    if "training" not in pictures or networks.empty:
        return []
    low, high = networks.val_accuracy.min(), networks.val_accuracy.max()
    alt = f"Trained networks end at {low:.1f} to {high:.1f} % of validation images."
    caption = f"{alt} n = {counted(len(networks), 'network')}, each trained once."
    return [_figure("training", pictures["training"], caption, alt)]


def _figure(name: str, picture: Picture, caption: str, alt: str) -> Figure:
    return Figure(picture.path, FIGURES[name], caption, alt, picture.narrow, picture.parts)


def _accuracy(sweeps: pd.DataFrame, curves: pd.DataFrame) -> tuple[str, str]:
    left = (curves.nonzero_params / curves.dense_params).groupby(curves.method, sort=False).mean()
    means = [f"{share(value)} % with {condition(name)}" for name, value in left.items()]
    finding = f"The share of parameters left at the breakpoint is {listed(means)} (means)."
    caption = (
        f"{finding} n = {_seeds(curves)} seeds per curve and level, "
        f"{counted(len(curves), 'curve')}, {counted(sweeps.level.nunique(), 'level')}. The paper's "
        "figures 1 and 2."
    )
    return caption, finding


def _efficiency(scored: pd.DataFrame, curves: pd.DataFrame) -> tuple[str, str]:
    pruned = scored[~scored.condition.isin(BEFORE.values())]
    finding = "No network was pruned."
    if len(pruned):
        best = pruned.loc[pruned.groupby("dataset", sort=False).efficiency.idxmax()]
        each = [
            f"{network(row)} after {condition(row['condition'])} on {dataset(row['dataset'])}"
            for row in best.to_dict("records")
        ]
        finding = f"The highest accuracy per parameter is that of {listed(each)}."
    networks = len(scored[IDENTITY].drop_duplicates())
    caption = (
        f"{finding} n = {counted(networks, 'network')} in up to "
        f"{counted(scored.condition.nunique(), 'condition')}; pruned ones are means over "
        f"{_seeds(curves)} seeds. The paper's figures 3 and 4."
    )
    return caption, finding


def _layers(curves: pd.DataFrame) -> tuple[str, str]:
    gone = curves.groupby("method", sort=False).sparsity.mean()
    means = [f"{share(value)} % by {condition(name)}" for name, value in gone.items()]
    finding = f"The mean sparsity at the breakpoint is {listed(means)}."
    caption = (
        f"{finding} A strip is a network, its cells are its layers; fuller colour means that more "
        f"weights are gone. n = {counted(len(curves), 'curve')}. The paper's figure 5."
    )
    return caption, finding


def _seeds(curves: pd.DataFrame) -> str:
    seeds = sorted(curves.n_seeds.unique())
    return "–".join(str(seed) for seed in dict.fromkeys([*seeds[:1], *seeds[-1:]]))

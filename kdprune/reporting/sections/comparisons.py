"""The section of all paired comparisons with all their statistics."""

from collections.abc import Sequence

import pandas as pd

from kdprune.reporting.document.blocks import Block, Bullets, Fold, Section, Text, table
from kdprune.reporting.document.formats import (
    condition,
    dataset,
    distiller,
    probability,
    short,
    whole,
)
from kdprune.reporting.paper.tables import paired_tables

TITLE = "Every comparison"
MEANS = "What the columns mean"
NAMES = [
    ("dataset", "Data set", None),
    ("role", "Networks", None),
    ("distill", "Distilled by", None),
    ("contrast", "Compared", None),
    ("n", "n pairs", whole),
]
MAIN = [
    ("ratio", "Ratio", short),
    ("ratio_low", "Ratio low", short),
    ("ratio_high", "Ratio high", short),
    ("log_holm_p", "p of the ratio, Holm", probability),
    ("log_p", "p of the ratio", probability),
    ("holm_p", "p of the difference, Holm", probability),
    ("p", "p of the difference", probability),
    ("mean_difference", "Mean difference", short),
    ("ci_low", "Difference low", short),
    ("ci_high", "Difference high", short),
    ("t", "t", short),
    ("df", "df", whole),
]
ROBUST = [
    ("log_t", "t of the ratio", short),
    ("wilcoxon_p", "p Wilcoxon", probability),
    ("sign_flip_p", "p sign flip", probability),
    ("log_cluster_p", "p of the ratio, by teacher", probability),
    ("cluster_p", "p of the difference, by teacher", probability),
    ("p_without_teacher", "p without a teacher", probability),
    ("shapiro_p", "p Shapiro", probability),
    ("d_z", "d_z", short),
    ("g_z", "g_z", short),
    ("reason", "Why figures are missing", None),
]
LEGEND = [
    "n counts pairs of teacher and student; for teachers it counts teachers. Seeds repeat the "
    "fine-tuning of one pair. They are averaged first and do not count.",
    "Ratio is the accuracy per parameter of the first over that of the second: a geometric mean "
    "over the pairs. It is tested on logarithms, because efficiencies span orders of magnitude.",
    "p of the ratio, Holm, decides what this report calls significant. It is p of the ratio, "
    "adjusted for all comparisons of the same networks and distillation method (Holm 1979).",
    "Mean difference is the mean of first minus second, in the paper's unit: percent per ten "
    "million parameters. p of the difference, t and df belong to it. This is the paper's test.",
    "d_z (Cohen) is the mean difference over the standard deviation of the differences. g_z "
    "(Hedges) corrects it for few pairs, and needs three.",
    "p Wilcoxon and p sign flip need no normal distribution. Neither can fall below 2 / 2^n. Up to "
    "n = 14 all sign flips are counted. For more pairs they are drawn at random.",
    "p by teacher flips all pairs of a teacher together, because these pairs are not independent: "
    "logarithms of the ratio, or differences. "
    "p without a teacher is the largest p of the t-test when one teacher's pairs are left out.",
    "p Shapiro is small where the differences are not normally distributed. It needs three pairs.",
]
PAPERS = Text(
    "The paper prints tests that do not follow from its own tables. The next table shows both. "
    "Nothing here is tuned to match either."
)


def section(
    scored: pd.DataFrame, tested: pd.DataFrame, figure: Sequence[Block], *, confidence: float
) -> Section:
    """Show every comparison, list it with all its statistics, and set the paper's test beside."""
    papers: list[Block] = [PAPERS, *paired_tables(scored, tested)]
    if tested.empty:
        none = Text("No two conditions of the same networks are present: nothing to test.")
        return Section(TITLE, [none, *papers])
    frame = tested.assign(
        dataset=tested.dataset.map(dataset),
        distill=tested.distill.map(distiller),
        contrast=[
            " ÷ ".join(condition(name).removesuffix(" pruning") for name in both)
            for both in zip(tested["first"], tested["second"], strict=True)
        ],
        role=tested.role + "s",
    )
    level = f"{100 * confidence:g} %"
    main = table(frame, [*NAMES, *MAIN], f"All comparisons, with intervals at {level}")
    robust = table(frame, [*NAMES, *ROBUST], "The same comparisons under other assumptions")
    return Section(TITLE, [*figure, main, robust, Fold(MEANS, [Bullets(LEGEND)]), *papers])

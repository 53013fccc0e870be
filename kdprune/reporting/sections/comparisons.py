"""The section of all paired comparisons with all their statistics."""

import pandas as pd

from kdprune.reporting.document.blocks import Bullets, Section, Text, table
from kdprune.reporting.document.formats import dataset, distiller, fixed, probability, whole
from kdprune.reporting.paper.tables import paired_tables

figure = fixed(2)
NAMES = [
    ("dataset", "Data set", None),
    ("role", "Networks", None),
    ("distill", "Distilled by", None),
    ("contrast", "Contrast", None),
    ("n", "n pairs", whole),
]
MAIN = [
    ("mean_difference", "Mean difference", figure),
    ("ci_low", "CI low", figure),
    ("ci_high", "CI high", figure),
    ("t", "t", fixed(4)),
    ("df", "df", whole),
    ("p", "p", probability),
    ("holm_p", "p Holm", probability),
    ("d_z", "d_z", figure),
    ("g_z", "g_z", figure),
]
ROBUST = [
    ("wilcoxon_p", "p Wilcoxon", probability),
    ("sign_flip_p", "p sign flip", probability),
    ("cluster_p", "p by teacher", probability),
    ("p_without_teacher", "p without a teacher", probability),
    ("shapiro_p", "p Shapiro", probability),
    ("ratio", "Ratio", fixed(3)),
    ("ratio_low", "Ratio low", fixed(3)),
    ("ratio_high", "Ratio high", fixed(3)),
    ("log_t", "t of logarithms", fixed(4)),
    ("log_p", "p of logarithms", probability),
    ("reason", "Why figures are missing", None),
]
LEGEND = [
    "n counts pairs of teacher and student (for teachers: teachers). Seeds are repeated "
    "measurements of one pair, and are averaged before.",
    "p Holm: adjusted over all comparisons of the same networks and distillation method "
    "(Holm 1979). It decides what is called significant above.",
    "d_z, g_z: mean difference over the standard deviation of the differences (Cohen), and the "
    "same with Hedges' correction for few pairs, which leaves nothing of two.",
    "p Wilcoxon, p sign flip: tests that need no normal distribution; neither can fall below "
    "2 / 2^n. Sign flips are all enumerated up to n = 14, and drawn beyond.",
    "p by teacher: sign flip of all pairs of a teacher together, as these are not independent. "
    "p without a teacher: the largest p of the t-test when one teacher's pairs are left out.",
    "p Shapiro: small where the differences are not normally distributed; needs three pairs.",
    "Ratio: geometric mean of first over second with its confidence interval, tested on "
    "logarithms. Efficiencies span orders of magnitude, and so raw means rest on few pairs.",
]


def section(scored: pd.DataFrame, tested: pd.DataFrame, *, confidence: float) -> Section:
    """Set the paper's test beside ours, then list every comparison with all its statistics."""
    blocks = [*paired_tables(scored, tested)]
    lead = Text(
        "The values that the paper prints do not follow from its own tables; both are shown, and "
        "nothing here is tuned to match either. Differences are drawn for mean and t alone."
    )
    if tested.empty:
        none = Text("No two conditions of the same networks are present: nothing to test.")
        return Section("Paired tests", [lead, *blocks, none])
    frame = tested.assign(
        dataset=tested.dataset.map(dataset),
        distill=tested.distill.map(distiller),
        contrast=tested["first"] + " − " + tested["second"],
        role=tested.role + "s",
    )
    level = f"{100 * confidence:g} %"
    main = table(
        frame, [*NAMES, *MAIN], f"All comparisons: efficiency, first minus second; CI at {level}"
    )
    robust = table(frame, [*NAMES, *ROBUST], "The same comparisons under other assumptions")
    return Section("Paired tests", [lead, *blocks, main, robust, Bullets(LEGEND)])

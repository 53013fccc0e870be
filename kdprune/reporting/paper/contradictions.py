"""Where the paper contradicts itself or says too little, and what was done about it."""

import numpy as np
import pandas as pd

from kdprune.reporting.document.blocks import Bullets, Section, Text
from kdprune.reporting.document.formats import (
    condition,
    dataset,
    fixed,
    listed,
    probability,
    signed,
)
from kdprune.reporting.paper import published
from kdprune.reporting.paper.beside import TABLES
from kdprune.reporting.paper.ttests import recomputed

figure = fixed(2)
STEPS = np.arange(10) / 10  # the levels that the paper announces
ROUNDING = 0.005  # 1e7 parameters; its tables have two decimals


def section() -> Section:
    """List the contradictions that bear on reading the comparison; figures are computed."""
    lead = Text(
        "This report takes the paper's tables as printed. Keep these points in mind when you read "
        "them."
    )
    return Section("Reading the paper", [lead, Bullets([*_computed(), *STATED])])


def on_the_grid(share: float = 0.01) -> tuple[int, int]:
    """Return how many printed breakpoint counts lie on a step of the announced 10 % grid, of all.

    A count P fits where it is within `share` of the unpruned count P0, and rounding, of P0 (1 - r)
    or, for removed channels, P0 (1 - r)^2.
    """
    fits = total = 0
    for row in published.breakpoints().to_dict("records"):
        for role in ("teacher", "student"):
            before, after = row[f"{role}_params_1e7"], row[f"{role}_breakpoint_params_1e7"]
            steps = before * (1 - STEPS)
            if row["method"] == "channel":
                steps = np.append(steps, before * (1 - STEPS) ** 2)
            fits += bool((np.abs(steps - after) <= share * before + ROUNDING).any())
            total += 1
    return fits, total


def kept() -> pd.Series:
    """Return the printed accuracy at each student's breakpoint minus the distilled one, points."""
    table = published.breakpoints()
    gap = table.student_breakpoint_accuracy - table.distilled_accuracy
    return gap.set_axis(pd.MultiIndex.from_frame(table[["dataset", "method"]]))


def _computed() -> list[str]:
    again = recomputed(published.efficiencies()).set_index("dataset")
    tests = [
        f"{dataset(row.dataset)} t = {figure(row.t)} (p = {probability(row.p)}) against "
        f"{fixed(4)(again.t[row.dataset])} (p = {probability(again.p[row.dataset])}) recomputed"
        for row in published.ttests().itertuples()
    ]
    fits, total = on_the_grid()
    gaps = kept().groupby(level=["dataset", "method"], sort=False).agg(["min", "max"])
    ranges = [
        f"{dataset(name)} {condition(method)} {signed(figure(low))} to {signed(figure(high))}"
        for (name, method), low, high in gaps.itertuples(name=None)
    ]
    twice = _twice()
    return [
        f"The printed tests do not follow from the printed tables: {listed(tests)}. Sign and "
        "conclusion agree. Both are shown above.",
        f"The paper prunes in steps of 10 %. Only {fits} of {total} printed parameter counts lie "
        "within 1 % of such a step, rounding allowed. Our breakpoints all lie on steps.",
        "No single tolerance explains the paper's breakpoints. The accuracy of its students there, "
        f"against the distilled ones, is {listed(ranges)} points. Our breakpoints follow one rule.",
        f"The same network has two accuracies before pruning: {listed(twice)}. Each row is "
        "compared as printed.",
    ]


def _twice() -> list[str]:
    """Say which teachers, and which students of a teacher, are printed with several accuracies."""
    table = published.breakpoints()
    kinds = {
        "unpruned": (["dataset", "teacher"], "teacher_accuracy"),
        "distilled": (["dataset", "teacher", "student"], "distilled_accuracy"),
    }
    return [
        f"{names[-1]} {listed([figure(value) for value in dict.fromkeys(values)])} {how} "
        f"({dataset(names[0])}, table {TABLES[names[0]]})"
        for how, (keys, column) in kinds.items()
        for names, values in table.groupby(keys, sort=False)[column]
        if len(set(values)) > 1
    ]


STATED = [
    "Three cells of Table 1 and two of Table 2 carry an error margin. This report leaves the "
    "margins out. One note defines the parameters at the breakpoint as a ratio, but the table "
    "holds counts. They are read as counts.",
    "Both tables print the same parameter counts. Most are those of networks with 1000 classes. "
    "Ours are those of the networks as deployed, and the tables list the others beside them.",
    "Table 3 announces seven techniques and names six. It mixes up which are distillation, which "
    "are pruning, and which are both. Its references for SemCKD and SimKD are shifted, and SRRL is "
    "credited to another paper. This report matches the rows by the methods' names.",
    "Table 3 gives pure distillation methods parameter counts that no network of the study has. It "
    "gives no accuracies. Our rows follow one rule, which stands above our table.",
    "The paper scores weight pruning by non-zero weights in dense tensors, and channel pruning "
    "presumably by what is left after removal. Equal counts then mean neither equal storage nor "
    "equal speed. Our breakpoints list MACs, too. Weight pruning does not lower them.",
    "The paper leaves parts of the recipe open: epochs, schedule, how 32-pixel images enter "
    "networks made for 224 pixels, what its ten iterations repeat, and the rule for a breakpoint. "
    "Here each is a parameter. The share of dead weights shows what the small images do.",
]

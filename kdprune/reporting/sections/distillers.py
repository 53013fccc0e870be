"""The section that compares distillation methods over pairs, by their students' test accuracy."""

from typing import Any

import pandas as pd

from kdprune.analysis.ranks import critical_difference, friedman, mean_ranks, nemenyi
from kdprune.analysis.replicates import count
from kdprune.analysis.significance import compare, holm
from kdprune.reporting.document.blocks import Block, Format, Section, Text, table
from kdprune.reporting.document.formats import (
    counted,
    dataset,
    distiller,
    fixed,
    probability,
    whole,
)

TITLE = "Distillation methods"
PAIR = ["teacher", "student"]
TESTED = ("mean_difference", "ci_low", "ci_high", "p")
BASE = "none"  # students that were trained without a teacher
FEW = 5  # pairs; below, Friedman's and Nemenyi's large-sample p-values are rough
accuracy = fixed(2)
SUMMARY = [
    ("method", "Method", None),
    ("n", "n pairs", whole),
    ("accuracy", "Mean test acc. %", accuracy),
    ("params", "Mean parameters deployed", whole),
    ("training_only", "Mean parameters in training only", whole),
    ("rank", "Mean rank", accuracy),
    ("mean_difference", "Difference to no teacher", accuracy),
    ("ci_low", "CI low", accuracy),
    ("ci_high", "CI high", accuracy),
    ("p", "p", probability),
    ("holm_p", "p Holm", probability),
    ("reason", "Why figures are missing", None),
]
ALONE = 6  # columns that need no students without a teacher


def section(networks: pd.DataFrame, *, confidence: float) -> Section | None:
    """Compare the students of all distillation methods; None with fewer than two methods.

    `networks` are the trained networks, one row each, before any pruning.
    """
    students = networks[networks.role == "student"]
    if students.distill.nunique() < 2:
        return None
    blocks: list[Block] = [
        Text(
            f"Test accuracy of the students as distilled, before any pruning, {_times(students)}. "
            "Ranks are over pairs that all methods have, 1 is best. Where students were also "
            "trained without a teacher, the difference to them is tested by a paired t-test over "
            "pairs, adjusted over the methods (Holm 1979)."
        )
    ]
    for name, part in students.groupby("dataset", sort=False):
        blocks += _dataset(part, dataset(name), confidence)
    return Section(TITLE, blocks)


def _times(students: pd.DataFrame) -> str:
    repeats = count(students)
    return "each trained once" if repeats == 1 else f"means of {repeats} trainings of each"


def summary(
    wide: pd.DataFrame, sizes: pd.DataFrame, surplus: pd.DataFrame, *, confidence: float
) -> pd.DataFrame:
    """Return a row per method from accuracies, parameters and training-only parameters.

    All three are [pairs, methods].
    """
    ranks = mean_ranks(wide)
    rows: list[dict[str, Any]] = []
    for method in wide.columns:
        row = {
            "method": distiller(method),
            "n": int(wide[method].notna().sum()),
            "accuracy": wide[method].mean(),
            "params": sizes[method].mean(),
            "training_only": surplus[method].mean(),
            "rank": ranks[method],
        }
        if BASE in wide and method != BASE:
            both = wide[[method, BASE]].dropna()
            test = compare(both[method], both[BASE], confidence=confidence)
            row |= {name: test[name] for name in (*TESTED, "reason")}
        rows.append(row)
    result = pd.DataFrame(rows, columns=[name for name, _, _ in SUMMARY])
    return result.assign(holm_p=holm(result.p))


def _dataset(part: pd.DataFrame, name: str, confidence: float) -> list[Block]:
    def by(value: str) -> pd.DataFrame:
        return part.pivot_table(index=PAIR, columns="distill", values=value, sort=False)

    methods = list(dict.fromkeys(part.distill))
    wide, sizes = by("test_accuracy")[methods], by("params")[methods]
    surplus = by("training_only_params")[methods]
    level = f"{100 * confidence:g} %"
    result = summary(wide, sizes, surplus, confidence=confidence)
    columns = SUMMARY if BASE in wide else SUMMARY[:ALONE]
    blocks: list[Block] = [
        table(result, columns, f"{name}: methods over {counted(len(wide), 'pair')}, CI at {level}"),
        Text(_ranked(wide, name, 1 - confidence)),
        _per_pair(wide, f"{name}: test accuracy (%) by pair and method", accuracy),
    ]
    if BASE in wide and len(methods) > 1:
        gaps = wide.drop(columns=BASE).sub(wide[BASE], axis=0)
        title = f"{name}: difference to the same student without a teacher (points)"
        blocks.append(_per_pair(gaps, title, accuracy, signed=True))
    blocks.append(_per_pair(sizes, f"{name}: parameters deployed by pair and method", whole))
    if not isinstance(friedman(wide), str):
        compared = nemenyi(wide).rename_axis("method").reset_index()
        compared["method"] = compared["method"].map(distiller)
        shown: list[tuple[str, str, Format | None]] = [("method", "Method", None)]
        shown += [(item, distiller(item), probability) for item in methods]
        blocks.append(table(compared, shown, f"{name}: Nemenyi's p for every two methods"))
    return blocks


def _ranked(wide: pd.DataFrame, name: str, alpha: float) -> str:
    result = friedman(wide)
    if isinstance(result, str):
        return f"{name}: Friedman's test is not possible: {result}."
    n, k = wide.dropna().shape
    rough = f" With n = {n} these p-values are rough." if n < FEW else ""
    verdict = "differ" if result[1] <= alpha else "are not shown to differ"
    return (
        f"{name}: the methods {verdict} (Friedman's chi-squared({k - 1}) = {accuracy(result[0])}, "
        f"p = {probability(result[1])}, n = {counted(n, 'pair')}, {k} methods). By Nemenyi, two "
        f"methods differ where their mean ranks are {accuracy(critical_difference(n, k, alpha))} "
        f"apart.{rough}"
    )


def _per_pair(wide: pd.DataFrame, caption: str, written: Any, *, signed: bool = False) -> Block:
    columns = [("teacher", "Teacher", None), ("student", "Student", None)]
    columns += [(item, distiller(item), written) for item in wide.columns]
    frame = wide.rename_axis(columns=None).reset_index()
    return table(frame, columns, caption, signed=[signed] * len(frame))

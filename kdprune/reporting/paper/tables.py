"""Sections that set the paper's tables and tests beside ours."""

import pandas as pd

from kdprune.reporting.document.blocks import Section, Table, Text, table
from kdprune.reporting.document.formats import (
    condition,
    counted,
    dataset,
    fixed,
    listed,
    printed,
    probability,
    taught,
    whole,
)
from kdprune.reporting.paper import beside, in_full, published, ttests
from kdprune.reporting.paper.beside import PAPERS, TABLES

accuracy = fixed(2)
QUANTITIES = [
    ("teacher_accuracy", "Acc(t) %", accuracy),
    ("distilled_accuracy", "Acc(s) distilled %", accuracy),
    ("teacher_params_1e7", "P(t) 1e7", printed),
    ("student_params_1e7", "P(s) 1e7", printed),
    ("teacher_breakpoint_accuracy", "Acc(t) break %", accuracy),
    ("student_breakpoint_accuracy", "Acc(s) break %", accuracy),
    ("teacher_breakpoint_params_1e7", "P(t) break 1e7", printed),
    ("student_breakpoint_params_1e7", "P(s) break 1e7", printed),
]
COUNTS = {
    "composite": "all parameters that are deployed; the paper's are of networks with 1000 classes",
    "encoder": "the encoder without projector and foreign classifier",
    "paper": "the networks with 1000 classes, as the paper does",
}
PAIR = [("teacher", "Teacher", None), ("student", "Student", None)]
EFFICIENCIES = [
    ("channel", "Channel pruning", accuracy),
    ("weight", "Weight pruning", accuracy),
    ("gap", "Channel − weight", accuracy),
]
TESTS = [
    ("dataset", "Data set", None),
    ("source", "Source", None),
    ("n", "n pairs", whole),
    ("mean_difference", "Mean difference", accuracy),
    ("t", "t", fixed(4)),
    ("df", "df", whole),
    ("p", "p", probability),
]


def breakpoint_tables(scored: pd.DataFrame, *, count: str) -> Section:
    """Tables 1 and 2: each network before and at its breakpoint, ours and the paper's."""
    frame = beside.tables_1_and_2(scored)
    distill = beside.distilled_by(scored)
    notes = (
        "In the columns, t is the teacher, s the student, and P the parameters in units of ten "
        "million (1e7). Accuracies are on the test images. A difference is ours minus the paper's. "
        f"Our counts are of {COUNTS.get(count, count)}. The paper prints several values for a "
        "teacher of two students. Here a teacher is swept once."
    )
    if distill and distill != PAPERS:
        notes += (
            f" The paper distilled with SimKD. These students are {taught(distill)}, so no "
            "differences are drawn."
        )
    blocks: list[Text | Table] = [Text(notes)]
    for name in sorted(dict.fromkeys(frame.dataset), key=lambda item: TABLES.get(item, 9)):
        part = frame[frame.dataset == name].assign(method=lambda rows: rows.method.map(condition))
        columns = [*PAIR, ("method", "Pruning", None), ("source", "Source", None), *QUANTITIES]
        papers = f"As in Table {TABLES[name]} of the paper" if name in TABLES else "As in the paper"
        caption = f"{papers}, {dataset(name)}: {_pairs(part)}"
        blocks.append(_beside(part, columns, caption))
    if frame.empty:
        blocks.append(Text("No student of this grid was pruned, nor its teacher."))
    return Section("Tables 1 and 2: before pruning and at the breakpoint", blocks)


def compression_tables(
    scored: pd.DataFrame, each: pd.DataFrame | None = None, **tables: pd.DataFrame | None
) -> Section:
    """Table 3: parameters at the breakpoint, by compression method and teacher.

    With `tables`, those of `compressions.rows`, each network in full stands beneath it: of pairs
    that were trained several times, those of `each`, which `scored` has averages of.
    """
    each = scored if each is None else each
    blocks: list[Text | Table] = [
        Text(
            "The table holds the parameters of the smallest network of each teacher, in units of "
            "ten million (1e7). The paper does not say at which accuracy its figures hold. Ours "
            "are at the breakpoint of the row's pruning. Weight pruning follows each distillation "
            "method. SimKD's row is distillation without pruning."
        )
    ]
    references = published.comparison().set_index("compression").reference
    for name in dict.fromkeys(scored.dataset):
        frame = beside.table_3(scored, name)
        teachers = [item for item in frame if item not in ("compression", "source")]
        empty, papers = frame[teachers].isna().all(axis=1), frame[frame.source == "paper"]
        alone = empty & (frame.source == "ours") & ~frame.compression.isin(papers.compression)
        absent = f". Not run: {listed(list(frame[alone].compression))}" if alone.any() else ""
        frame = frame[~alone & ~((frame.source == "difference") & empty)]
        frame = frame.assign(
            reference=frame.compression.map(references),
            **{item: frame[item].astype(object).where(~empty, "not run") for item in teachers},
        )
        columns = [
            ("compression", "Compression", None),
            ("reference", "Reference", None),
            ("source", "Source", None),
            *[(item, item, printed) for item in teachers],
        ]
        others = "" if name == "cifar100" else " (the paper has it for CIFAR-100 only)"
        blocks.append(_beside(frame, columns, f"As in Table 3, {dataset(name)}{others}{absent}"))
        if tables:
            blocks.append(in_full.networks(each[each.dataset == name], name, **tables))
    if tables:
        blocks.append(Text(in_full.note(len(each) > len(scored))))
    return Section("Table 3: other compressions", blocks)


def paired_tables(scored: pd.DataFrame, tested: pd.DataFrame) -> list[Table]:
    """The paper's paired test, and the efficiencies that it is computed from."""
    frame = ttests.tests(tested, scored)
    frame = frame.assign(dataset=frame.dataset.map(dataset))
    tests = table(
        frame,
        TESTS,
        "Paired t-test: accuracy per parameter by channel minus by weight pruning, in % per 1e7 "
        "parameters. Printed in Section 5 of the paper, and recomputed from its Tables 1 and 2",
        signed=frame.source.str.startswith("ours −"),
        kinds=_kinds(frame.source),
    )
    scores = beside.efficiencies(scored)
    scores = scores[scores[["channel", "weight"]].notna().any(axis=1)]
    scores = scores.assign(dataset=scores.dataset.map(dataset))
    columns = [("dataset", "Data set", None), *PAIR, ("source", "Source", None), *EFFICIENCIES]
    caption = f"Accuracy per parameter of students at their breakpoints: {_pairs(scores)}"
    return [tests, _beside(scores, columns, f"{caption}, in % per 1e7 parameters")]


def _beside(frame: pd.DataFrame, columns: list, caption: str) -> Table:
    signed = frame.source == "difference"
    return table(frame, columns, caption, signed=signed, kinds=_kinds(frame.source))


def _kinds(sources: pd.Series) -> list[str]:
    gap = sources.str.startswith(("difference", "ours −"))
    return ["difference" if item else name for item, name in zip(gap, sources.str[:5], strict=True)]


def _pairs(frame: pd.DataFrame) -> str:
    keys = ["dataset", "teacher", "student"]
    mine = frame[frame.source == "ours"][keys].drop_duplicates()
    theirs = frame[frame.source == "paper"][keys].drop_duplicates()
    count = len(mine.merge(theirs))
    return f"{counted(len(mine), 'pair')} of ours, {count or 'none'} of them in the paper"

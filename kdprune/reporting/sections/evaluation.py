"""What pruning did to each class of images, as a document of its own."""

from pathlib import Path
from typing import Any

import pandas as pd

from kdprune.files import replacing
from kdprune.reporting.document.blocks import Block, Figure, Section, Text, table
from kdprune.reporting.document.formats import counted, fixed, probability, signed, whole
from kdprune.reporting.document.markdown import render
from kdprune.reporting.sections.tradeoff import RUNTIMES

TITLE = "kdprune: what is shipped, against the original"
CERTAIN = 0.05  # a p-value, after Holm's correction
MOST = 10  # of the confusions that are new
points = fixed(1)
CLASSES = [
    ("class", "Class", None),
    ("images", "Images", whole),
    ("before", "Original, %", points),
    ("after", "Shipped, %", points),
    ("difference", "Change, points", points),
    ("low", "95 % from", points),
    ("high", "to", points),
    ("lost", "Lost", whole),
    ("gained", "Gained", whole),
    ("p_holm", "p (Holm)", probability),
]
CONFUSIONS = [
    ("true", "Class", None),
    ("answer", "Taken for", None),
    ("before", "Original", whole),
    ("after", "Shipped", whole),
]


def write(numbers: dict[str, Any], path: Path, sheet: Path | None) -> None:
    """Write the document as Markdown.

    `numbers` are those of kdprune.analysis.agreement, with export, form and original, and runtime
    where one was asked for; `sheet` the picture of images that are answered otherwise.
    """
    text = render(TITLE, sections(numbers, sheet), path.parent)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def sections(numbers: dict[str, Any], sheet: Path | None) -> list[Section]:
    """Return the sections: the whole, the classes, what is confused, and the pictures."""
    names = [row["class"] for row in numbers["classes"]]
    pages = [
        Section("The whole", [Text(line) for line in said(numbers)]),
        Section("By class", [table(_by_change(numbers), CLASSES, "Accuracy of each class")]),
        Section("Confused", _confused(numbers, names)),
    ]
    if sheet:
        count = counted(numbers["differ"], "image")
        what = f"The first of {count}: those that were lost, and of these the surest."
        pages.append(Section("Pictures", [Figure(sheet, "Answered otherwise", what)]))
    return pages


def said(numbers: dict[str, Any]) -> list[str]:
    """Return what there is to know, as sentences."""
    told, ece = numbers["accuracy"], numbers["ece"]
    ran = f", in {RUNTIMES[numbers['runtime']]}" if "runtime" in numbers else ""
    worst = _by_change(numbers).iloc[0]
    sure = [row for row in numbers["classes"] if row["p_holm"] < CERTAIN]
    fell = [row["class"] for row in sure if row["difference"] < 0]
    lines = [
        f"{numbers['original']} is right on {told['before']:.2f} % of {told['images']:,} test "
        f"images, {numbers['export']} ({numbers['form']}{ran}) on {told['after']:.2f} %: "
        f"{signed(points(told['difference']))} points, 95 % CI {points(told['low'])} to "
        f"{points(told['high'])} (p = {probability(told['p'])}).",
        f"They answer {counted(numbers['differ'], 'image')} differently; {told['lost']:,} were "
        f"right before alone, {told['gained']:,} are now.",
        f"Confidence is {points(ece['before'])} points from accuracy before, and "
        f"{points(ece['after'])} after (expected calibration error).",
        f"The class that changed most for the worse is {worst['class']}: "
        f"{points(worst['before'])} to {points(worst['after'])} % of "
        f"{counted(int(worst['images']), 'image')}.",
    ]
    few = "no class fell by more than chance explains" if not fell else f"fell: {', '.join(fell)}"
    return [*lines, f"Beyond chance (Holm's p < {CERTAIN}) {few}."]


def _by_change(numbers: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(numbers["classes"]).sort_values("difference", kind="stable")


def _confused(numbers: dict[str, Any], names: list[str]) -> list[Block]:
    before, after = (numbers["confusion"][when] for when in ("before", "after"))
    rows = [
        {"true": true, "answer": answer, "before": before[i][j], "after": after[i][j]}
        for i, true in enumerate(names)
        for j, answer in enumerate(names)
        if i != j and after[i][j] > before[i][j]
    ]
    rows.sort(key=lambda row: row["before"] - row["after"])
    if not rows:
        return [Text("No two classes are confused more often than before.")]
    title = f"Confused more often than before: {min(len(rows), MOST)} of {len(rows)} pairs"
    return [
        table(pd.DataFrame(rows[:MOST]), CONFUSIONS, title),
        Text("The whole matrices, and that of both networks' answers, are in evaluation.json."),
    ]

"""What the published study finds, from studies/: a sentence, a picture, a table, its limits."""

import json
import textwrap
from pathlib import Path

import pandas as pd

from generators import soundness
from generators.soundness import FIRST, SECOND, STUDY, WIDTH, probability
from kdprune.analysis.conditions import conditions
from kdprune.study import comparable

INTEGERS = "bytes, int8"
PAIR = ["dataset", "teacher", "student", "distill"]
COUNTS = {
    "parameters": "parameter",
    "bytes, float32": "byte of plain numbers",
    "bytes": "byte of compressed files",
    "bytes, int8": "byte of files of 8-bit integers",
    "bytes, shared8": "byte of Deep Compression, 8 bits",
}
ALT = "Each student at its breakpoint under both prunings, against itself unpruned, pair by pair"


def finding(root: Path) -> str:
    """Return the first screen of the README: the answer of the study that can give one."""
    folder = root / "studies" / STUDY
    return "\n".join(
        [
            textwrap.fill(f"{answer(folder)} The paper, too, finds weight pruning ahead.", WIDTH),
            "",
            f"![{ALT}](studies/{STUDY}/plots/pairs.svg)",
            "",
            "| weight pruning against channel pruning | n | ratio | 95 % interval | p "
            "| p, by teacher |",
            "|---|---|---|---|---|---|",
            *(line(row) for _, row in compared(folder).iterrows()),
            "",
            textwrap.fill(limits(folder), WIDTH, break_on_hyphens=False),
            "",
            *soundness.rows(root),
            f"[The study](studies/{STUDY}/README.md) holds its tables, its report and how it ran.",
            "",
        ]
    )


def quoted(root: Path) -> str:
    """Return the answer as a quotation."""
    return f"\n> {answer(root / 'studies' / STUDY)}\n\n"


def answer(folder: Path) -> str:
    """Say in how many pairs which pruning is ahead, and by how much."""
    rows = compared(folder)
    students = rows[rows.role == "student"].set_index("count")
    ahead, pairs = counted(folder)
    said = (
        f"**Weight pruning kept more accuracy per parameter than channel pruning in {ahead} of "
        f"{pairs} pairs of teacher and student: {ratio(students.loc['parameters'])}.** Counted in "
        f"bytes, the lead is smaller: {ratio(students.loc['bytes, float32'])} for plain numbers, "
        f"and {ratio(students.loc['bytes'])} for compressed files."
    )
    return " ".join([said, *coded(students)])


def coded(students: pd.DataFrame) -> list[str]:
    """Say who is ahead in files of 8-bit integers, where they were written."""
    if INTEGERS not in students.index:
        return []
    row = students.loc[INTEGERS]
    where = "In files of 8-bit integers, where a zero takes as much room as any other value,"
    if row.ratio_low > 1:
        return [f"{where} it stays: {ratio(row)}."]
    if row.ratio_high >= 1:
        return [f"{where} neither pruning is ahead."]
    turned = row.copy()
    turned["ratio"] = 1 / row.ratio
    turned["ratio_low"], turned["ratio_high"] = 1 / row.ratio_high, 1 / row.ratio_low
    return [f"{where} channel pruning is ahead: {ratio(turned)}."]


def limits(folder: Path) -> str:
    """Say what the finding rests on, and what it leaves open."""
    broken = pd.read_csv(folder / "metrics/breakpoints.csv")
    first = broken[(broken.role == "student") & (broken.method == SECOND)]
    files = (folder / "metrics/distill").glob("*.json")
    dead = [100 * json.loads(file.read_text(encoding="utf-8"))["dead_share"] for file in files]
    return (
        "Ten pairs mirror the paper's, on all of CIFAR-10. Each network was trained once, for 16 "
        "epochs on two cores. Each mean is over ten seeds. They repeat the tuning of the last "
        "layer, not the training. Two of the paper's conditions may favour weight pruning. First, "
        f"{min(dead):.0f} to {max(dead):.0f} % of a student's convolution weights only ever meet "
        "zero padding: weight pruning drops them for nothing, channel pruning cannot. Second, "
        "only the last layer is tuned after pruning, which does not repair removed channels: in "
        f"{(first.level == 0).sum()} of {len(first)} pairs the first step of 10 % already costs "
        f"channel pruning more than a point. {soundness.tried(folder.parent)}"
    )


def compared(folder: Path) -> pd.DataFrame:
    """Return a row per role and count of a study, weight over channel pruning."""
    return conditions({folder.name: comparable.read(folder)}, first=FIRST, second=SECOND)


def counted(folder: Path) -> tuple[int, int]:
    """Return in how many pairs weight pruning is ahead, and how many there are."""
    scored = pd.read_csv(folder / "metrics/efficiency.csv").fillna({"distill": ""})
    wide = scored[scored.role == "student"].pivot_table("efficiency", PAIR, "condition")
    return int((wide[FIRST] > wide[SECOND]).sum()), len(wide)


def ratio(row: pd.Series) -> str:
    """Say a ratio with its interval."""
    interval = f"{row.ratio_low:.2f} to {row.ratio_high:.2f}"
    return f"{row.ratio:.2f} times as much (95 % interval {interval})"


def line(row: pd.Series) -> str:
    """Return a row of the table."""
    who = "students, distilled by SimKD" if row.role == "student" else "teachers"
    count = COUNTS[row["count"]]
    probabilities = [probability(p) for p in (row.log_p, row.cluster_p)]
    cells = [f"{who}: accuracy per {count}", str(row.n), f"{row.ratio:.2f}"]
    cells += [f"{row.ratio_low:.2f} to {row.ratio_high:.2f}", *probabilities]
    return f"| {' | '.join(cells)} |"

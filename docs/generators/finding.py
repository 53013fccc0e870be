"""What the published studies find, from studies/: a sentence, a picture, a table, its limits."""

import json
import textwrap
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pandas as pd

from generators import soundness, trainings
from generators.soundness import FIRST, SECOND, probability, shown
from generators.tuning import PAIR
from kdprune.analysis.conditions import conditions
from kdprune.study import comparable

STUDIES = {"desk": "CIFAR-10", "desk-cifar100": "CIFAR-100"}
PARAMETERS = "parameters"
WIDTH = 120
INTEGERS = "bytes, int8"
COUNTS = {
    PARAMETERS: "parameter",
    "bytes, float32": "byte of plain numbers",
    "bytes": "byte of compressed files",
    "bytes, shared8": "byte of Deep Compression, 8 bits",
    INTEGERS: "byte of 8-bit integers",
}
ALT = "Each student at its breakpoint under both prunings, against itself unpruned, pair by pair"


def finding(root: Path) -> str:
    """Return the first screen of the README: the answer of the studies that can give one."""
    studies = root / "studies"
    first = next(iter(STUDIES))
    return "\n".join(
        [
            paragraph(answer(studies)),
            "",
            paragraph(plainly(studies)),
            "",
            f"![{ALT}](studies/{first}/plots/pairs.svg)",
            "",
            f"*The ten pairs on {STUDIES[first]}.* {links()}",
            "",
            *items([*beside(studies), "The paper, too, finds weight pruning ahead."]),
            "",
            f"| weight ÷ channel pruning, accuracy | n | {heads()} | p, per parameter, uncorrected "
            "| p, by teacher |",
            f"|---|---|{'---|' * len(COUNTS)}---|---|",
            *(line for name in STUDIES for line in lines(studies / name)),
            "",
            paragraph(basis(studies)),
            "",
            "Two conditions may favour weight pruning; the second is the paper's, too:",
            "",
            *items(doubts(studies)),
            "",
            "Without them, one at a time:",
            "",
            *items(soundness.explained(studies)),
            "",
            paragraph(soundness.again(studies)),
            "",
        ]
    )


def quoted(root: Path) -> str:
    """Return the answer, and what becomes of it, as a quotation."""
    studies = root / "studies"
    points = (f"> - {text}" for text in beside(studies))
    return "\n".join(["", f"> {answer(studies)}", ">", *points, "", ""])


def paragraph(text: str, **indents: str) -> str:
    """Return a text in lines."""
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, **indents)


def items(texts: list[str]) -> list[str]:
    """Return the lines of a list."""
    return [paragraph(text, initial_indent="- ", subsequent_indent="  ") for text in texts]


def links() -> str:
    """Say where the studies are."""
    each = [f"[{data}](studies/{name}/README.md)" for name, data in STUDIES.items()]
    return f"Each study holds its tables, its report and how it ran: {' and '.join(each)}."


def heads() -> str:
    """Return the heads of the columns of ratios."""
    return " | ".join(f"per {count}" for count in COUNTS.values())


def answer(studies: Path) -> str:
    """Say in how many pairs which pruning is ahead, and by how much, per data set."""
    won = [
        "{} of {} pairs on {}: {}".format(
            *counted(studies / name), data, ratio(students(studies / name).loc[PARAMETERS])
        )
        for name, data in STUDIES.items()
    ]
    return (
        "**Weight pruning kept more accuracy per parameter than channel pruning in "
        f"{'; in '.join(won)}.**"
    )


def plainly(studies: Path) -> str:
    """Say what each pruning took before a network broke."""
    first, second = (removed(studies, method) for method in (FIRST, SECOND))
    return (
        "In plain words: before a network lost more than a point of validation accuracy, weight "
        f"pruning had removed {first} of its weights, and channel pruning {second}."
    )


def removed(studies: Path, method: str) -> str:
    """Say what share of the students' weights is gone at their breakpoints, in steps of 10 %."""
    held = [pd.read_csv(studies / name / "metrics/breakpoints.csv") for name in STUDIES]
    broken = pd.concat(held)
    levels = broken[(broken.role == "student") & (broken.method == method)].level
    shown = [f"{100 * level:.0f}" if level else "none" for level in sorted(levels.unique())]
    return f"{shown[0]} or {shown[-1]} %" if len(shown) == 2 else f"{shown[0]} to {shown[-1]} %"


def beside(studies: Path) -> list[str]:
    """Say what becomes of the answer by other counts and other rankings."""
    of_each = {name: students(studies / name) for name in STUDIES}
    plain, files = (
        " and ".join(
            f"{rows.loc[count].ratio:.2f} times on {STUDIES[name]}"
            for name, rows in of_each.items()
        )
        for count in ("bytes, float32", "bytes")
    )
    return [
        f"Counted in bytes, the lead is smaller: {plain} for plain numbers, {files} for "
        f"compressed files. {coded(studies, of_each)}",
        soundness.ranked(studies),
    ]


@cache
def students(folder: Path) -> pd.DataFrame:
    """Return the rows of a study's students, by what is counted."""
    rows = compared(folder)
    return rows[rows.role == "student"].set_index("count")


def untouched(folders: Iterable[Path]) -> tuple[int, int]:
    """Return from how many students channel pruning removed nothing, and how many there are."""
    broken = pd.concat(pd.read_csv(folder / "metrics/breakpoints.csv") for folder in folders)
    levels = broken[(broken.role == "student") & (broken.method == SECOND)].level
    return int((levels == 0).sum()), len(levels)


def coded(studies: Path, of_each: dict[str, pd.DataFrame]) -> str:
    """Say who is ahead in files of 8-bit integers, where a zero is no smaller."""
    held = {name: rows.loc[INTEGERS] for name, rows in of_each.items() if INTEGERS in rows.index}
    if not held:
        return "Files of 8-bit integers were not written."
    data = " and ".join(STUDIES[name] for name in held)
    which = "" if len(held) == len(of_each) else f" (written for {data})"
    where = (
        f"In files of 8-bit integers{which}, where a zero takes as much room as any other value,"
    )
    if all(row.ratio_high < 1 for row in held.values()):
        times = " and ".join(
            f"{1 / row.ratio:.2f} times on {STUDIES[name]}" for name, row in held.items()
        )
        idle, pairs = untouched(studies / name for name in held)
        return (
            f"{where} channel pruning is ahead: {times}. In {idle} of these {pairs} pairs it had "
            "removed nothing, so that the unpruned network is what is ahead."
        )
    if all(row.ratio_low > 1 for row in held.values()):
        return f"{where} it stays."
    return f"{where} neither pruning is ahead on every data set."


def basis(studies: Path) -> str:
    """Say what the finding rests on."""
    return (
        f"The ten pairs are slim copies of the paper's, with {sizes(studies)} parameters, on all "
        "images of both data sets. They do not show what holds for large networks. Each network "
        "was trained for 16 epochs: on two cores for CIFAR-10, on a GPU for CIFAR-100. Each mean "
        "is over ten seeds, which repeat the tuning of the last layer, not the training. "
        f"{trainings.sentence(studies)} *p, by teacher* flips the logarithms of all pairs of a "
        "teacher together: of seven teachers, it can be no lower than 0.016."
    )


def sizes(studies: Path) -> str:
    """Say from how many to how many millions of parameters the networks have."""
    files = [
        file
        for name in STUDIES
        for part in ("teach", "distill")
        for file in (studies / name / "metrics" / part).glob("*.json")
    ]
    counts = [json.loads(file.read_text(encoding="utf-8"))["params"] / 1e6 for file in files]
    return f"{min(counts):.1f} to {max(counts):.1f} million"


def doubts(studies: Path) -> list[str]:
    """Say what may favour weight pruning."""
    dead, stuck = [], []
    for name, data in STUDIES.items():
        broken = pd.read_csv(studies / name / "metrics/breakpoints.csv")
        first = broken[(broken.role == "student") & (broken.method == SECOND)]
        stuck.append(f"{(first.level == 0).sum()} of {len(first)} pairs on {data}")
        for file in (studies / name / "metrics/distill").glob("*.json"):
            dead.append(100 * json.loads(file.read_text(encoding="utf-8"))["dead_share"])
    return [
        f"{min(dead):.0f} to {max(dead):.0f} % of a student's convolution weights only ever meet "
        "zero padding. Weight pruning may drop them for nothing; channel pruning cannot.",
        "Only the last layer is tuned after pruning, which does not repair removed channels: in "
        f"{' and '.join(stuck)} the first step of 10 % already costs channel pruning more than a "
        "point.",
    ]


@cache
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


def lines(folder: Path) -> list[str]:
    """Return a row of the table for a study's teachers, and one for its students."""
    rows = compared(folder)
    made = []
    for role, who in (("teacher", "teachers"), ("student", "students, distilled by SimKD")):
        mine = rows[rows.role == role].set_index("count")
        first = mine.loc[PARAMETERS]
        cells = [f"{STUDIES[folder.name]}, {who}", str(first.n)]
        cells += [shown(mine.loc[count]) if count in mine.index else "" for count in COUNTS]
        cells += [probability(first.log_p), probability(first.log_cluster_p)]
        made.append(f"| {' | '.join(cells)} |")
    return made

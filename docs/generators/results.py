"""What the tutorial says of the default run, from metrics/ and the report."""

import csv
import re
from pathlib import Path


def answer(root: Path) -> str:
    """Return the report's one-sentence answer as a quotation."""
    report = (root / "plots/report.md").read_text(encoding="utf-8")
    found = re.search(r"^## Which pruning.*?\n\n\*\*(.*?)\*\*", report, re.DOTALL | re.MULTILINE)
    return f"\n> {' '.join(found[1].split())}\n\n"


def breakpoints(root: Path) -> str:
    """Return the students' breakpoints as a table."""
    with (root / "metrics/breakpoints.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["role"] == "student"]
    lines = [
        "",
        "| teacher → student | pruning | level (95 % interval) | parameters left | test accuracy "
        "| unpruned |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["level_low"] or "–", row["level_high"] or "–"
        level = f"{float(row['level']):g} ({low} to {high})"
        level += ", censored" if row["censored"] == "True" else ""
        left, dense = float(row["nonzero_params"]), float(row["dense_params"])
        lines.append(
            f"| {row['teacher']} → {row['student']} | {row['method']} | {level} "
            f"| {left:,.0f} ({left / dense:.0%}) | {float(row['test_accuracy']):.1f} % "
            f"| {float(row['dense_test_accuracy']):.1f} % |"
        )
    count = rows[0]["n_seeds"] if rows else 0
    return "\n".join(lines) + f"\n\nMeans over n = {count} fine-tuning seeds.\n\n"

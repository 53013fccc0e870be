"""What the README says of results follows from metrics/; its commands and files exist."""

import json
import re

import pandas as pd
import yaml
from conftest import ROOT

README = ROOT / "README.md"
START, END = (
    "<!-- results: tests/test_readme.py holds this table against metrics/ -->\n",
    "<!-- /results -->",
)


def results() -> str:
    """The table of results as the README must hold it."""
    found = pd.read_csv(ROOT / "metrics/breakpoints.csv").fillna({"student": "", "distill": ""})
    scored = pd.read_csv(ROOT / "metrics/efficiency.csv").fillna({"student": "", "distill": ""})
    lines = [
        "| teacher → student | as distilled | level 0: tuned, not pruned "
        "| weight pruning at breakpoint | channel pruning at it |",
        "|---|---|---|---|---|",
    ]
    students = found[found.role == "student"]
    for (teacher, student), rows in students.groupby(["teacher", "student"], sort=False):
        mine = scored[(scored.teacher == teacher) & (scored.student == student)]
        before = mine[mine.condition == "distilled"].iloc[0]
        cells = [f"{before.accuracy:.1f} %, {before.params:,.0f} parameters"]
        cells.append(f"{rows.iloc[0].dense_test_accuracy:.1f} %")
        for method in ("weight", "channel"):
            row = rows[rows.method == method].iloc[0]
            left, gone = f"{row.nonzero_params:,.0f}", f"{100 * row.level:.0f} % gone"
            cells.append(f"{row.test_accuracy:.1f} %, {left} ({gone})")
        lines.append(f"| {teacher} → {student} | " + " | ".join(cells) + " |")
    test = pd.read_csv(ROOT / "metrics/significance.csv")
    row = test[(test.role == "student") & (test["first"] == "channel") & (test.second == "weight")]
    row = row.iloc[0]
    lines += [
        "",
        f"Efficiency, channel minus weight: {row.mean_difference:,.0f} % per 1e7 parameters "
        f"(95 % CI {row.ci_low:,.0f} to {row.ci_high:,.0f}), paired t = {row.t:.2f}, "
        f"p = {row.p:.2f}, n = {row.n:.0f} pairs; n = 10 seeds within each.",
        "",
        f"{dead()} of these students' convolution weights only ever meet zero padding on 32-pixel "
        "images: weight pruning",
        "drops them for nothing, channel pruning cannot; and to tune the last layer alone favours "
        "weight pruning, too. `-S model.stem=cifar`",
        "and `-S prune.finetune.scope=all` take both away.",
    ]
    return "\n".join(lines) + "\n"


def dead() -> str:
    """The range of the students' dead weights."""
    files = sorted((ROOT / "metrics/distill").glob("*.json"))
    shares = [100 * json.loads(file.read_text())["dead_share"] for file in files]
    return f"{min(shares):.0f} to {max(shares):.0f} %"


def test_the_results_are_those_of_the_metrics():
    text = README.read_text()
    held = text[text.index(START) + len(START) : text.index(END)]
    assert held == results(), "write it anew: python tests/test_readme.py"


def test_what_it_names_exists():
    text = README.read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
    tree = text[text.index("## The tree") :]
    for name in re.findall(r"^([a-z.]+/?) ", tree, re.MULTILINE):
        assert (ROOT / name).exists() or name == "models/", name
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key in re.findall(r"^\| [a-z ]+ \| `([a-z.]+)`", text, re.MULTILINE):
        value = params
        for part in key.split("."):
            assert part in value, key
            value = value[part]


if __name__ == "__main__":
    text = README.read_text()
    before, after = text[: text.index(START) + len(START)], text[text.index(END) :]
    README.write_text(before + results() + after)

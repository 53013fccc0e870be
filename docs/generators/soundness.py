"""What is left of the finding under the conditions that may decide it, from studies/."""

import json
import textwrap
from pathlib import Path

import pandas as pd

from kdprune.analysis.conditions import conditions
from kdprune.study import comparable

STUDY = "desk"
FIRST, SECOND = "weight", "channel"
WIDTH = 120
CONDITIONS = {  # studies that differ from it in one condition
    "desk-stem": "stem for small images: at most {dead:.0f} % of the weights dead",
    "desk-tuned": "all layers tuned after pruning, two epochs",
}


def tried(studies: Path) -> str:
    """Say whether the two conditions have been taken away."""
    run = [name for name in CONDITIONS if (studies / name).is_dir()]
    if not run:
        return "What is left of the lead without them is planned, and not measured yet."
    each = "The table below takes them away, one at a time"
    teachers = [len(list((studies / name / "metrics/teach").iterdir())) for name in (STUDY, *run)]
    whole = len(run) == len(CONDITIONS) and min(teachers) == teachers[0]
    return f"{each}." if whole else f"{each}, on the teachers that were run."


def rows(root: Path) -> list[str]:
    """Return a table of the conditions that may decide, each against the faithful setting."""
    each = [row for name in CONDITIONS for row in condition(root, name)]
    if not each:
        return []
    return [
        "| weight against channel pruning, teachers | levels | n | never broke "
        "| ratio per parameter | per byte of plain numbers | p | ahead |",
        "|---|---|---|---|---|---|---|---|",
        *each,
        "",
        textwrap.fill(
            "Each condition stands below the paper's, of the same networks at the same levels "
            "(`kdprune compare --alike`). Curves that never broke would have gone on "
            "beyond the last level: where those of weight pruning are more, the ratio is at least "
            "this. "
            "[What was run, and what was not](studies/conditions.md).",
            WIDTH,
            break_on_hyphens=False,
        ),
        "",
    ]


def condition(root: Path, name: str) -> list[str]:
    """Return two rows: the networks that a condition was tried on, as the paper has it and so."""
    folders = [root / "studies" / STUDY, root / "studies" / name]
    if not folders[1].is_dir():
        return []
    held = comparable.by_what_all_have(folders)
    what = CONDITIONS[name].format(dead=dead(folders[1]))
    labels = dict(zip(folders, ("as the paper has it", what), strict=True))
    return [weighed(label, held[folder]) for folder, label in labels.items()]


def dead(folder: Path) -> float:
    """Return the largest share of a teacher's weights that only meet zero padding, in percent."""
    files = sorted((folder / "metrics/teach").glob("*.json"))
    return max(100 * json.loads(file.read_text(encoding="utf-8"))["dead_share"] for file in files)


def weighed(label: str, tables: dict[str, pd.DataFrame]) -> str:
    """Return a row: the ratio of the teachers' efficiencies by parameters and by bytes."""
    rows = conditions({label: tables}, first=FIRST, second=SECOND)
    rows = rows[rows.role == "teacher"].set_index("count")
    by_parameters, by_bytes = rows.loc["parameters"], rows.loc["bytes, float32"]
    levels = sorted(tables["sweeps"].level.unique())
    low, high = by_parameters.ratio_low, by_parameters.ratio_high
    ahead = FIRST if low > 1 else SECOND if high < 1 else "neither, surely"
    broken = tables["breakpoints"]
    endless = broken[broken.censored.astype(bool)].groupby("method").size()
    never = ", ".join(f"{name} {endless.get(name, 0)}" for name in (FIRST, SECOND))
    cells = [label, ", ".join(f"{level:g}" for level in levels), str(by_parameters.n), never]
    cells += [shown(by_parameters), shown(by_bytes), probability(by_parameters.log_p), ahead]
    return f"| {' | '.join(cells)} |"


def shown(row: pd.Series) -> str:
    """Return a ratio with its interval."""
    return f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})"


def probability(p: float) -> str:
    """Return p in three digits, or five where it is small."""
    return f"{p:.5f}" if p < 0.001 else f"{p:.3f}"

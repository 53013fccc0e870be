"""Our tables beside those of Malihi & Heidemann 2024 (ASI 7(4), 56): DataFrame to DataFrame.

Every difference is ours minus the paper's. Parameters in units of 1e7, accuracies in percent.
"""

import pandas as pd

from kdprune.analysis.efficiency import BEFORE, UNIT
from kdprune.reporting.paper import published

PAPERS = "simkd"  # the paper's students were distilled by it
TABLES = {"cifar100": 1, "cifar10": 2}  # the paper's numbers of its tables
PAIR = ["dataset", "teacher", "student"]
ROW = [*PAIR, "method"]
QUANTITIES = [
    "teacher_accuracy",
    "distilled_accuracy",
    "teacher_params_1e7",
    "student_params_1e7",
    "teacher_breakpoint_accuracy",
    "student_breakpoint_accuracy",
    "teacher_breakpoint_params_1e7",
    "student_breakpoint_params_1e7",
]
# What stands for each row of Table 3: its smallest network per teacher, at the same breakpoint
# rule. [13], [17] and [21] act on the teacher itself. SimKD's own row is distillation without
# pruning: with it, it would be the study itself.
COMPRESSIONS = {
    "channel pruning (paper)": {"distill": "simkd", "condition": "channel"},
    "weight pruning (paper)": {"distill": "simkd", "condition": "weight"},
    "KD": {"distill": "kd", "condition": "weight"},
    "SemCKD": {"distill": "semckd", "condition": "weight"},
    "SimKD": {"distill": "simkd", "condition": "distilled"},
    "magnitude pruning": {"role": "teacher", "condition": "magnitude"},
    "AOFP": {"role": "teacher", "condition": "aofp"},
    "PQK": {"role": "teacher", "condition": "pqk"},
}


def distilled_by(scored: pd.DataFrame) -> str:
    """Return which students stand beside the paper's: SimKD's, else the first method's, else ""."""
    methods = list(dict.fromkeys(scored[scored.role == "student"].distill))
    return PAPERS if PAPERS in methods else next(iter(methods), "")


def ours(scored: pd.DataFrame, distill: str) -> pd.DataFrame:
    """Return efficiencies (see kdprune.analysis.efficiency) in the form of paper.breakpoints().

    One row per pair of `distill` and pruning method: "weight" and "channel" where the student or
    its teacher was pruned so, other methods where the student was. What was not run is missing.
    """
    keys = [*PAIR, "role", "distill", "condition"]
    known = {
        tuple(row[name] for name in keys): (row["accuracy"], row["params"] / UNIT)
        for row in scored.to_dict("records")
    }
    students = scored[(scored.role == "student") & (scored.distill == distill)]
    methods = [name for name in dict.fromkeys(scored.condition) if name not in BEFORE.values()]
    rows = []
    for pair in students[PAIR].drop_duplicates().itertuples(index=False, name=None):
        dataset, teacher, _ = pair
        ends = {
            "teacher": (dataset, teacher, "", "teacher", ""),
            "student": (*pair, "student", distill),
        }
        for method in methods:
            swept = [role for role, end in ends.items() if (*end, method) in known]
            if "student" not in swept and not (swept and method in ("weight", "channel")):
                continue
            figures = []
            for role, end in ends.items():
                figures.append(known.get((*end, BEFORE[role]), (None, None)))
            for end in ends.values():
                figures.append(known.get((*end, method), (None, None)))
            accuracies, sizes = zip(*figures, strict=True)
            values = [*accuracies[:2], *sizes[:2], *accuracies[2:], *sizes[2:]]
            rows.append([*pair, method, *values])
    return pd.DataFrame(rows, columns=[*ROW, *QUANTITIES])


def beside(mine: pd.DataFrame, papers: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Put each row of `mine` above the paper's row of the same keys and above their difference.

    Adds the column `source`: "ours", "paper", "difference". Rows that the paper lacks stay alone.
    All columns other than keys are numbers.
    """
    figures = [name for name in mine.columns if name not in keys]
    theirs = {tuple(row[name] for name in keys): row for row in papers.to_dict("records")}
    parts = []
    for record in mine.to_dict("records"):
        key = tuple(record[name] for name in keys)
        parts.append({**record, "source": "ours"})
        if key in theirs:
            named = {name: record[name] for name in keys}
            other = {name: theirs[key].get(name) for name in figures}
            gaps = {name: difference(record[name], other[name]) for name in figures}
            parts.append({**named, **other, "source": "paper"})
            parts.append({**named, **gaps, "source": "difference"})
    return pd.DataFrame(parts, columns=[*keys, "source", *figures])


def tables_1_and_2(scored: pd.DataFrame) -> pd.DataFrame:
    """Return Tables 1 (CIFAR-100) and 2 (CIFAR-10) with `source` ours, paper and difference.

    Students of another distillation method than the paper's stand alone.
    """
    distill = distilled_by(scored)
    papers = published.breakpoints()
    return beside(ours(scored, distill), papers if distill == PAPERS else papers.head(0), ROW)


def table_3(scored: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return Table 3 for one data set: parameters per method (rows) and teacher (columns).

    The paper has it for CIFAR-100 alone. What we have not run is missing in our row.
    """
    part = scored[scored.dataset == dataset]
    papers = published.comparison() if dataset == "cifar100" else published.comparison().head(0)
    known = [name for name in papers if name not in ("compression", "reference")]
    teachers = list(dict.fromkeys([*(known if len(papers) else []), *part.teacher]))
    rows = []
    for compression, wanted in COMPRESSIONS.items():
        match = part[(part[list(wanted)] == pd.Series(wanted)).all(axis=1)]
        least = match.groupby("teacher").params.min() / UNIT
        rows.append({"compression": compression} | {name: least.get(name) for name in teachers})
    return beside(pd.DataFrame(rows, columns=["compression", *teachers]), papers, ["compression"])


def efficiencies(scored: pd.DataFrame) -> pd.DataFrame:
    """Return each pair's efficiency by channel and by weight pruning and their difference.

    Percent per 1e7 parameters at the student's breakpoint, w1 = w2 as in the paper; columns
    `channel`, `weight`, `gap` (channel minus weight) with `source` ours, paper and difference.
    """
    distill = distilled_by(scored)
    mine = _by_pair(scored[(scored.role == "student") & (scored.distill == distill)])
    papers = _by_pair(published.efficiencies())
    return beside(mine, papers if distill == PAPERS else papers.head(0), PAIR)


def difference(mine: float | None, theirs: float | None) -> float | None:
    """Return ours minus the paper's, None where one of them is missing."""
    if mine is None or theirs is None or pd.isna(mine) or pd.isna(theirs):
        return None
    return mine - theirs


def _by_pair(scored: pd.DataFrame) -> pd.DataFrame:
    score = scored.assign(efficiency=scored.accuracy / (scored.params / UNIT))
    wide = score.pivot_table(index=PAIR, columns="condition", values="efficiency", sort=False)
    wide = wide.reindex(columns=["channel", "weight"])
    return wide.assign(gap=wide.channel - wide.weight).rename_axis(columns=None).reset_index()

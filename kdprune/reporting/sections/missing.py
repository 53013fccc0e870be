"""The section of what is not there: pairs, conditions, breakpoints and figures, each with why."""

from collections.abc import Mapping

import pandas as pd

from kdprune.analysis.efficiency import BEFORE
from kdprune.reporting.document.blocks import Block, Bullets, Picture, Section, Text
from kdprune.reporting.document.formats import (
    capital,
    condition,
    counted,
    dataset,
    distiller,
    listed,
    network,
)
from kdprune.reporting.paper import published
from kdprune.reporting.paper.beside import PAIR, PAPERS, TABLES, distilled_by, table_3
from kdprune.reporting.sections.figures import FIGURES


def section(
    scored: pd.DataFrame,
    tested: pd.DataFrame,
    breakpoints: pd.DataFrame,
    networks: pd.DataFrame,
    figures: Mapping[str, Picture],
    trajectories: pd.DataFrame | None = None,
) -> Section:
    """Say what is censored or missing; a dash in a table has its reason here."""
    items = [
        *_papers(scored),
        *_conditions(scored),
        *_methods(networks),
        *curves(breakpoints),
        *_statistics(tested),
        *_compressions(scored),
        *([] if trajectories is None else _levels(trajectories)),
        *[f"Figure not drawn: {name}." for name in FIGURES if name not in figures],
    ]
    lead = Text("A dash in a table means that a figure does not exist. The reasons:")
    blocks: list[Block] = [lead, Bullets(items)] if items else [Text("Nothing is missing.")]
    return Section("Censored or missing", blocks)


def _papers(scored: pd.DataFrame) -> list[str]:
    students = scored[(scored.role == "student") & (scored.distill == distilled_by(scored))]
    mine = set(students[PAIR].itertuples(index=False, name=None))
    said = []
    for name in TABLES:
        printed = published.breakpoints().query("dataset == @name")[PAIR].drop_duplicates()
        absent = [pair for pair in printed.itertuples(index=False, name=None) if pair not in mine]
        if len(absent) == len(printed):
            here = "" if name in set(scored.dataset) else ", nor the data set"
            none = f"None of the paper's {len(printed)} pairs on {dataset(name)}"
            said.append(f"{none} is in this grid{here}.")
        elif absent:
            pairs = [f"{teacher} → {student}" for _, teacher, student in absent]
            said.append(f"{dataset(name)}: the paper's pairs {listed(pairs)} are not in this grid.")
    if distilled_by(scored) not in ("", PAPERS):
        said.append("No students distilled by SimKD, the paper's method: no differences to it.")
    return said


def _conditions(scored: pd.DataFrame) -> list[str]:
    """Name networks that lack a pruning which others of the same role have."""
    said = []
    for role, part in scored.groupby("role", sort=False):
        methods = [name for name in dict.fromkeys(part.condition) if name not in BEFORE.values()]
        if not methods:
            said.append(f"No {role} was pruned.")
        for method in methods:
            lacking = _lacking(part, method)
            if lacking:
                said.append(f"{capital(condition(method))} was not run on {listed(lacking)}.")
        absent = [name for name in ("weight", "channel") if methods and name not in methods]
        said += [f"{capital(condition(name))} was run on no {role}." for name in absent]
    if "student" not in set(scored.role):
        said.append("No student is in this grid.")
    return said


def _lacking(part: pd.DataFrame, method: str) -> list[str]:
    groups = part.groupby([*PAIR, "distill"], sort=False).condition
    return [
        _named(dict(zip([*PAIR, "distill"], key, strict=True)))
        for key, conditions in groups
        if method not in set(conditions)
    ]


def _methods(networks: pd.DataFrame) -> list[str]:
    methods = list(dict.fromkeys(networks[networks.role == "student"].distill))
    if len(methods) != 1:
        return []
    return [f"Only {distiller(methods[0])} students: distillation methods are not compared."]


def curves(broken: pd.DataFrame) -> list[str]:
    """Say which breakpoints are censored, lie at level 0, or come from one seed."""
    censored = broken[broken.censored.astype(bool)]
    nothing = broken[(broken.level == 0) & ~broken.censored.astype(bool)]
    alone = broken[broken.level_low.isna()]
    bare = broken[broken.test_sd.isna()] if "test_sd" in broken else broken.head(0)
    said = {
        "censored (the curve never broke on the levels swept)": censored,
        "at level 0 (broke at the first step, nothing pruned)": nothing,
    }
    lines = [
        f"{counted(len(rows), 'breakpoint')} of {len(broken)} {text}: {listed(_curve_names(rows))}."
        for text, rows in said.items()
        if len(rows)
    ]
    if not len(censored):
        lines.append(f"No breakpoint is censored (n = {counted(len(broken), 'curve')}).")
    for rows, what in ((alone, "interval of the breakpoint"), (bare, "deviation over seeds")):
        if len(rows):
            lines.append(f"No {what}, as one seed was run: {counted(len(rows), 'curve')}.")
    return lines


def _statistics(tested: pd.DataFrame) -> list[str]:
    if tested.empty:
        return ["No two conditions of the same networks are present: there are no tests."]
    said = []
    for row in tested[tested.reason.fillna("") != ""].to_dict("records"):
        by = f", {distiller(row['distill'])}" if row["distill"] else ""
        where = f"{dataset(row['dataset'])} {row['role']}s{by}"
        said.append(f"{where}, {row['first']} − {row['second']}: {row['reason']}.")
    done = tested[tested.reason.fillna("") == ""]
    reasons = {
        "g_z": "Hedges' g_z needs three pairs",
        "shapiro_p": "Shapiro's test needs three pairs",
        "p_without_teacher": "leaving out a teacher needs two unlike pairs without it",
        "log_cluster_p": "flipping teachers together needs two teachers",
        "wilcoxon_p": "Wilcoxon's exact test needs differences that are not zero",
        "ratio": "a ratio needs efficiencies above zero",
        "log_p": "the test of ratios needs some that differ, above zero",
    }
    for name, reason in reasons.items():
        absent = int(done[name].isna().sum())
        if absent:
            said.append(f"Missing in {counted(absent, 'comparison')}: {reason}.")
    return said


def _compressions(scored: pd.DataFrame) -> list[str]:
    said = []
    for name in dict.fromkeys(scored.dataset):
        frame = table_3(scored, name).query("source == 'ours'").set_index("compression")
        empty = frame.drop(columns="source").isna().all(axis=1)
        if empty.any():
            said.append(f"Table 3, {dataset(name)}, not run: {listed(list(empty[empty].index))}.")
    return said


def _levels(trajectories: pd.DataFrame) -> list[str]:
    """Say which levels a method could not reach, and why."""
    beyond = trajectories[trajectories.sparsity.isna()]
    return [
        f"{condition(row['method'])}, level {row['level']:g} of {_named(row)}: {row['note']}."
        for row in beyond.to_dict("records")
    ]


def _curve_names(rows: pd.DataFrame) -> list[str]:
    return [f"{_named(row)} {row['method']}" for row in rows.to_dict("records")]


def _named(row: Mapping[str, str]) -> str:
    by = f", {distiller(row['distill'])}" if row["distill"] else ""
    return f"{network(row)} ({dataset(row['dataset'])}{by})"

"""The first page of a study that was frozen: question, answer, picture, how it was run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kdprune.analysis import clusters, sizes
from kdprune.analysis.efficiency import BEFORE
from kdprune.analysis.replicates import apart, averaged
from kdprune.reporting import ran
from kdprune.reporting.document import markdown
from kdprune.reporting.document.blocks import Bullets, Figure, Format, Section, Table, Text, table
from kdprune.reporting.document.formats import (
    capital,
    condition,
    counted,
    dataset,
    distiller,
    fixed,
    is_missing,
    network,
    probability,
    whole,
)
from kdprune.reporting.headline import PAPERS_CONTRAST, UNITS, contrasts
from kdprune.reporting.paper.beside import COMPRESSIONS, PAIR, PAPERS
from kdprune.reporting.paper.tables import compression_tables
from kdprune.reporting.sections.answer import QUESTIONS
from kdprune.reporting.sections.missing import curves

PICTURED = {
    "student": "Both prunings, pair by pair",
    "teacher": "Both prunings, teacher by teacher",
}
HEADS = {"student": "The pairs", "teacher": "The teachers"}
figure = fixed(2)


def page(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    *,
    settings: Mapping[str, Any],
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    command: str,
    commit: str,
    plots: Path,
    folder: Path,
    confidence: float,
) -> str:
    """Return the README of a study as Markdown.

    `tables` are those of kdprune.study.tables.results, and `spent` as the report takes it; `runs`
    are the records of its stages by instance, `plots` its pictures, below `folder`, where the page
    will lie. Where nothing can be tested, as of one network, the page shows accuracy by level.
    """
    scored = averaged(tables["efficiency"])
    compared = _papers_first(contrasts(clusters.added(tables["significance"], scored)))
    every = [_answer(row, confidence) for row in compared.to_dict("records")]
    answers = [one for at, one in enumerate(every) if one not in every[:at]]  # say a reason once
    tested = not compared.empty and not compared.log_p.isna().all()
    role = "student" if compared.empty or "student" in set(compared.role) else "teacher"
    broken, layers, codings = (tables[part] for part in ("breakpoints", "layers", "codings"))
    held = {part: tables[part] for part in ("breakpoints", "trained", "codings", "spent")}
    held["sizes"] = sizes.known(broken, layers, codings)
    full = {part: apart(table) for part, table in held.items()}
    shown = _pairs(scored, role) if tested else _levels(tables["sweeps"])
    three = []
    if _compares(scored):
        three = [compression_tables(scored, apart(tables["efficiency"]), **full)]
    sections = [
        Section(QUESTIONS[role], answers or [Text("Nothing was compared.")]),
        Section(HEADS[role], [_picture(plots, role if tested else ""), shown]),
        Section("What limits it", [Bullets(curves(apart(broken)))]),
        Section("The networks", [_networks(full["trained"])]),
        *three,
        Section("How it was run", [Bullets(ran.how(settings, runs, command, commit))]),
    ]
    return markdown.render(f"Study {name}", sections, folder)


def _compares(scored: pd.DataFrame) -> bool:
    """Say whether a system of Table 3 ran beside the paper's own, which the page has above."""
    others = [wanted for wanted in COMPRESSIONS.values() if wanted.get("distill") != PAPERS]
    return any((scored[list(one)] == pd.Series(one)).all(axis=1).any() for one in others)


def _papers_first(compared: pd.DataFrame) -> pd.DataFrame:
    """Return comparisons with the paper's before all others."""
    papers = compared["first"].isin(PAPERS_CONTRAST) & compared["second"].isin(PAPERS_CONTRAST)
    return pd.concat([compared[papers], compared[~papers]])


def _picture(plots: Path, role: str) -> Figure:
    """Return the figure of all pairs, or of the curves, where nothing is compared in a test."""
    name = "pairs.svg" if role else "accuracy.svg"
    said = PICTURED[role] if role else "Accuracy by the share of the weights that is gone"
    return Figure(plots / name, said, "Further pictures: report.html in plots/")


def _answer(row: Mapping[str, Any], confidence: float) -> Text:
    """Say one comparison by its ratio: efficiencies span orders of magnitude."""
    by = f" distilled by {distiller(row['distill'])}" if row["distill"] else ""
    who = f"{dataset(row['dataset'])}, {row['role']}s{by}"
    unit = UNITS[row["role"]]
    if is_missing(row["log_p"]):
        why = capital(row["reason"] or "all ratios are equal")
        if row["n"] > 1:  # else it holds for all of them, and is said once
            who += f", {condition(row['first'])} and {condition(row['second'])}"
        return Text(f"{why}.", lead=f"{who}: no test is possible.")
    first, second, ratio = row["first"], row["second"], row["ratio"]
    ends = [row["ratio_low"], row["ratio_high"]]
    if ratio < 1:
        first, second, ratio = second, first, 1 / ratio
        ends = [1 / end for end in reversed(ends)]
    decides = row["log_holm_p"] if not is_missing(row["log_holm_p"]) else row["log_p"]
    shown = decides <= 1 - confidence
    lead = f"{condition(first)} has {figure(ratio)} times the efficiency of {condition(second)}"
    lead = lead if shown else f"neither pruning is shown to be ahead; {lead}"
    text = (
        f"{100 * confidence:g} % CI {figure(ends[0])} to {figure(ends[1])}, p = "
        f"{probability(row['log_p'])}, after Holm's correction {probability(decides)}, n = "
        f"{counted(int(row['n']), unit)}. "
    )
    if row["role"] == "student" and not is_missing(together := row["log_cluster_p"]):
        text += f"Flipping all pairs of a teacher together, p = {probability(together)}. "
    text += f"As the paper tests it, on raw differences, p = {probability(row['p'])}."
    return Text(text, lead=f"{who}: {lead}.")


def _pairs(scored: pd.DataFrame, role: str) -> Table:
    """Return a row for each pair: the efficiency by each pruning, and the ratio of two."""
    rows = scored[(scored.role == role) & ~scored.condition.isin(BEFORE.values())]
    keys = [*PAIR, "distill"] if role == "student" else PAIR[:2]
    wide = rows.pivot_table("efficiency", keys, "condition", sort=False).reset_index()
    names = list(dict.fromkeys(rows.condition))
    columns: list[tuple[str, str, Format | None]] = [
        (name, name.capitalize(), None) for name in keys
    ]
    columns += [(name, capital(condition(name)), figure) for name in names]
    caption = f"Performance Efficiency of {role}s at their breakpoints, % per 1e7 parameters"
    if len(names) == 2:
        wide["ratio"] = wide[names[0]] / wide[names[1]]
        columns.append(("ratio", "Ratio", figure))
        caption += f"; the ratio is {' to '.join(names)}"
    wide["dataset"] = wide.dataset.map(dataset)
    if role == "teacher":
        return table(wide, columns, f"{caption}. n = {counted(len(wide), 'teacher')}")
    wide["distill"] = wide.distill.map(distiller)
    count = counted(len(wide[PAIR].drop_duplicates()), "pair")  # not one for each distillation
    if len(wide) > len(wide[PAIR].drop_duplicates()):
        count += f", {counted(len(wide), 'student')}"
    return table(wide, columns, f"{caption}. n = {count}")


def _levels(sweeps: pd.DataFrame) -> Table:
    """Return test accuracy by level, a row for each network and pruning."""
    rows = sweeps.assign(
        dataset=sweeps.dataset.map(dataset),
        network=sweeps.apply(network, axis=1),
        pruning=sweeps.method.map(condition),
    )
    keys = ["dataset", "network", "pruning"]
    wide = rows.pivot_table("test_accuracy", keys, "level", sort=False)
    levels = list(wide.columns)
    wide = wide.reset_index().rename(columns={level: f"at {level:g}" for level in levels})
    columns: list[tuple[str, str, Format | None]] = [(key, capital(key), None) for key in keys]
    columns += [(f"at {level:g}", f"{level:.0%} gone", figure) for level in levels]
    seeds = sweeps.groupby(["method", "level"]).seed.nunique()
    count = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    return table(wide, columns, f"Test accuracy by level, mean of n = {count} seeds of the tuning")


def _networks(trained: pd.DataFrame) -> Table:
    rows = trained.assign(
        dataset=trained.dataset.map(dataset),
        network=trained.apply(network, axis=1),
        distill=trained.distill.map(distiller),
    )
    columns = [
        ("dataset", "Dataset", None),
        ("network", "Network", None),
        ("distill", "Distilled by", None),
        ("params", "Parameters", whole),
        ("val_accuracy", "Validation %", figure),
        ("test_accuracy", "Test %", figure),
    ]
    return table(rows, columns, f"Accuracy before pruning, n = {counted(len(rows), 'network')}")

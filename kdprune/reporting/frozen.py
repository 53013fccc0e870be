"""The first page of a study that was frozen: question, answer, picture, how it was run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from kdprune.analysis import sizes
from kdprune.analysis.efficiency import BEFORE
from kdprune.analysis.replicates import apart, averaged
from kdprune.progress import duration
from kdprune.reporting.document import markdown
from kdprune.reporting.document.blocks import Bullets, Figure, Format, Section, Table, Text, table
from kdprune.reporting.document.formats import (
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
from kdprune.reporting.paper.beside import PAIR
from kdprune.reporting.paper.tables import compression_tables

QUESTION = "Which pruning keeps more accuracy per parameter after distillation?"
figure = fixed(2)


def page(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    *,
    settings: Mapping[str, Any],
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    command: str,
    commit: str,
    picture: Path,
    folder: Path,
    confidence: float,
) -> str:
    """Return the README of a study as Markdown.

    `tables` are those of kdprune.study.tables.results, and `spent` as the report takes it; `runs`
    are the records of its stages by instance, `picture` a figure below `folder`, where the page
    will lie.
    """
    answers = [_answer(row, confidence) for row in _contrasts(tables["significance"])]
    drawn = Figure(
        picture, "Both prunings, pair by pair", "Further pictures: report.html in plots/"
    )
    broken, layers, codings = (tables[part] for part in ("breakpoints", "layers", "codings"))
    held = {part: tables[part] for part in ("breakpoints", "trained", "codings", "spent")}
    held["sizes"] = sizes.known(broken, layers, codings)
    full = {part: apart(table) for part, table in held.items()}
    scored = averaged(tables["efficiency"])
    sections = [
        Section(QUESTION, answers or [Text("Nothing was compared.")]),
        Section("The pairs", [drawn, _pairs(scored)]),
        Section("The networks", [_networks(full["trained"])]),
        compression_tables(scored, apart(tables["efficiency"]), **full),
        Section("How it was run", [Bullets(_how(settings, runs, command, commit))]),
    ]
    return markdown.render(f"Study {name}", sections, folder)


def _contrasts(tested: pd.DataFrame) -> list[dict[str, Any]]:
    if tested.empty:
        return []
    unpruned = list(BEFORE.values())
    pruned = ~tested["first"].isin(unpruned) & ~tested["second"].isin(unpruned)
    return tested[(tested.role == "student") & pruned].to_dict("records")


def _answer(row: Mapping[str, Any], confidence: float) -> Text:
    """Say one comparison by its ratio: efficiencies span orders of magnitude."""
    who = f"{dataset(row['dataset'])}, students distilled by {distiller(row['distill'])}"
    if is_missing(row["log_p"]):
        return Text(row["reason"] or "All ratios are equal.", lead=f"{who}: no test is possible.")
    first, second, ratio = row["first"], row["second"], row["ratio"]
    ends = [row["ratio_low"], row["ratio_high"]]
    if ratio < 1:
        first, second, ratio = second, first, 1 / ratio
        ends = [1 / end for end in reversed(ends)]
    shown = row["log_p"] <= 1 - confidence
    lead = f"{condition(first)} has {figure(ratio)} times the efficiency of {condition(second)}"
    lead = lead if shown else f"neither pruning is shown to be ahead; {lead}"
    text = (
        f"{100 * confidence:g} % CI {figure(ends[0])} to {figure(ends[1])}, p = "
        f"{probability(row['log_p'])}, n = {counted(int(row['n']), 'pair')}. "
    )
    if not is_missing(row["cluster_p"]):
        text += f"Flipping all pairs of a teacher together, p = {probability(row['cluster_p'])}. "
    text += f"As the paper tests it, on raw differences, p = {probability(row['p'])}."
    return Text(text, lead=f"{who}: {lead}.")


def _pairs(scored: pd.DataFrame) -> Table:
    """Return a row for each pair: the efficiency by each pruning, and the ratio of two."""
    rows = scored[scored.role == "student"]
    keys = [*PAIR, "distill"]
    wide = rows.pivot_table("efficiency", keys, "condition", sort=False).reset_index()
    names = [name for name in dict.fromkeys(rows.condition) if name not in BEFORE.values()]
    columns: list[tuple[str, str, Format | None]] = [
        (name, name.capitalize(), None) for name in keys
    ]
    columns += [(name, condition(name).capitalize(), figure) for name in names]
    caption = "Performance Efficiency of students at their breakpoints, % per 1e7 parameters"
    if len(names) == 2:
        wide["ratio"] = wide[names[0]] / wide[names[1]]
        columns.append(("ratio", "Ratio", figure))
        caption += f"; the ratio is {' to '.join(names)}"
    wide["distill"] = wide.distill.map(distiller)
    wide["dataset"] = wide.dataset.map(dataset)
    count = counted(len(wide[PAIR].drop_duplicates()), "pair")  # not one for each distillation
    if len(wide) > len(wide[PAIR].drop_duplicates()):
        count += f", {counted(len(wide), 'student')}"
    return table(wide, columns, f"{caption}. n = {count}")


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


def _how(
    settings: Mapping[str, Any],
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    command: str,
    commit: str,
) -> list[str]:
    """Say command, code, machine, time and versions."""
    last = {name: records[-1] for name, records in runs.items() if records}
    every = [record for records in runs.values() for record in records]
    seconds = sum(record.get("seconds", 0.0) for record in every)  # none of a killed one
    worked = [record["cpu_seconds"] for record in every if "cpu_seconds" in record]
    processor = f"; of processor time: {duration(sum(worked))}" if len(worked) == len(every) else ""
    machines = {_machine(record) for record in last.values()}
    versions = {
        f"{name} {version}"
        for record in last.values()
        for name, version in record["versions"].items()
    }
    return [
        f"Command: {command}. Code: commit {commit}.",
        f"Wall time, in which at least one instance ran: {duration(busy(every))}; of all "
        f"{counted(len(last), 'instance')}, one after the other: {duration(seconds)}"
        f"{processor}.",
        f"Machine: {'; '.join(sorted(machines))}.",
        f"Versions: {', '.join(sorted(versions))}.",
        "Settings: " + "; ".join(f"{key} {value}" for key, value in settings.items()) + ".",
    ]


def busy(records: Sequence[Mapping[str, Any]]) -> float:
    """Return in how many seconds at least one of some runs was at work."""
    spans = []
    for record in records:
        start = datetime.fromisoformat(record["started"]).timestamp()
        spans.append((start, start + record.get("seconds", 0.0)))
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _machine(record: Mapping[str, Any]) -> str:
    held, gpu = record["machine"], record.get("gpu")
    told = f"{held['system']}, {counted(held['cores'], 'core')}"
    return f"{gpu}, {told}" if gpu else told

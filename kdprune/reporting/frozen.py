"""The first page of a study that was frozen: question, answer, picture, how it was run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

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

    `tables` are those of kdprune.study.tables.results, `runs` the records of its stages by
    instance, `picture` a figure below `folder`, where the page will lie.
    """
    answers = [_answer(row, confidence) for row in _contrasts(tables["significance"])]
    drawn = Figure(
        picture, "Both prunings, pair by pair", "Further pictures: report.html in plots/"
    )
    sections = [
        Section(QUESTION, answers or [Text("Nothing was compared.")]),
        Section("The pairs", [drawn, _pairs(averaged(tables["efficiency"]))]),
        Section("The networks", [_networks(apart(tables["trained"]))]),
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
    return table(wide, columns, f"{caption}. n = {counted(len(wide), 'pair')}")


def _networks(trained: pd.DataFrame) -> Table:
    rows = trained.assign(
        dataset=trained.dataset.map(dataset), network=trained.apply(network, axis=1)
    )
    columns = [
        ("dataset", "Dataset", None),
        ("network", "Network", None),
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
    # a run that was killed has no time: nobody saw its end
    seconds = [record.get("seconds", 0.0) for records in runs.values() for record in records]
    machines = {_machine(record) for record in last.values()}
    versions = {
        f"{name} {version}"
        for record in last.values()
        for name, version in record["versions"].items()
    }
    return [
        f"Command: {command}. Code: commit {commit}.",
        f"Time of all instances, one after the other: {duration(sum(seconds))} "
        f"({counted(len(last), 'instance')}).",
        f"Machine: {'; '.join(sorted(machines))}.",
        f"Versions: {', '.join(sorted(versions))}.",
        "Settings: " + "; ".join(f"{key} {value}" for key, value in settings.items()) + ".",
    ]


def _machine(record: Mapping[str, Any]) -> str:
    held, gpu = record["machine"], record.get("gpu")
    told = f"{held['system']}, {counted(held['cores'], 'core')}"
    return f"{gpu}, {told}" if gpu else told

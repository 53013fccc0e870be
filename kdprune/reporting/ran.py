"""How a study was run: command, code, machine, time and versions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kdprune.progress import duration
from kdprune.reporting.document.formats import counted


def how(
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
        if version
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

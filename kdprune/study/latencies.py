"""Reads metrics/measure.csv for `recommend`: what a forward pass takes in one runtime."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError
from kdprune.records import network
from kdprune.study.numbers import numbers
from kdprune.study.rows import read

NAMES = {"onnx": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch"}
FORMS = {"onnx": "onnx", "openvino": "onnx", "torch": "torch"}  # what `export` writes for each
PREFERRED = ("onnx", "torch")  # exports are for the first, and it is several times as fast
EXTRAS = {"onnx": "export", "openvino": "openvino"}  # of this package, that install them
ASKING = {"openvino": "KDPRUNE_RUNTIMES=openvino "}  # what is timed on request alone
UNPRUNED = "none"
AGAIN = "dvc repro --force --single-item measure"

Key = tuple[str, str, float]  # network, method ("none" at level 0), level


@dataclass(frozen=True)
class Latency:
    """Milliseconds of a batch, and whether they are steady: else they are noise."""

    milliseconds: float
    steady: bool


@dataclass(frozen=True)
class Latencies:
    """What was measured in one `runtime` on `devices`, as a sentence names them."""

    runtime: str | None = None
    devices: str | None = None
    times: Mapping[Key, Latency] = field(default_factory=dict)


def measured(folder: Path) -> set[str]:
    """Return the runtimes that a study's networks were timed in."""
    path = folder / "metrics" / "measure.csv"
    return {_row(row, path)["runtime"] for row in read(path)} if path.is_file() else set()


def latencies(
    folder: Path, dataset: str, *, batch: int, runtime: str | None, needed: bool
) -> Latencies:
    """Return the times of a data set's networks; of `runtime` None, the first PREFERRED one's.

    Networks of one graph, which differ by noise alone, share the lowest of their times on a device;
    where a network was measured on several devices, the slower one counts. Raises KdpruneError
    where times are `needed` and not there.
    """
    path = folder / "metrics" / "measure.csv"
    if not path.is_file():
        if needed:
            raise KdpruneError(
                f"--max-latency: {path} is not there, for the stage measure has not run; run "
                f"`{again(runtime)}`, or leave --max-latency out"
            )
        return Latencies(runtime)
    measured = [_row(row, path) for row in read(path) if row.get("dataset") == dataset]
    at_batch = [row for row in measured if row["batch"] == batch]
    ran = {row["runtime"] for row in at_batch}
    chosen = runtime or next((name for name in PREFERRED if name in ran), None)
    rows = [row for row in at_batch if row["runtime"] == chosen]
    if needed and not rows:
        raise _missing(path, dataset, batch, runtime, measured)
    devices = dict.fromkeys(row["device"] for row in rows)
    return Latencies(chosen, " and ".join(devices) or None, _slowest(rows))


def _slowest(rows: Iterable[Mapping[str, Any]]) -> dict[Key, Latency]:
    """Return the time of each network, by way of that of its graph on each device."""
    rows = list(rows)
    lowest: dict[tuple[str, str], Latency] = {}
    for row in rows:
        graph, time = (row["graph"], row["device"]), row["time"]
        lowest[graph] = min(lowest.get(graph, time), time, key=_noisy_last)
    times: dict[Key, Latency] = {}
    for row in rows:
        at, time = row["key"], lowest[row["graph"], row["device"]]
        times[at] = max(times.get(at, time), time, key=_noisy_last)
    return times


def _noisy_last(time: Latency) -> tuple[bool, float]:
    return not time.steady, time.milliseconds


def _row(row: Mapping[str, str], path: Path) -> dict[str, Any]:
    held = numbers(row, ("level", "batch", "latency_ms_p25"), path)
    level = held["level"]
    key = (network(row), row.get("method", "") if level else UNPRUNED, level)
    return {
        "key": key,
        "batch": int(held["batch"]),
        "graph": row.get("graph") or str(key),
        "runtime": row.get("runtime") or "torch",  # all there was, before tables named it
        "device": row.get("device") or "a device of no name",
        "time": Latency(held["latency_ms_p25"], row.get("steady") != "False"),
    }


def _missing(
    path: Path, dataset: str, batch: int, runtime: str | None, rows: list[dict[str, Any]]
) -> KdpruneError:
    """Say which of the two that was asked for is not there, and what is."""
    batches = sorted({row["batch"] for row in rows})
    if batch not in batches:
        seen = ", ".join(map(str, batches)) or "none"
        return KdpruneError(f"--batch {batch}: {path} has no times of {dataset}; batches: {seen}")
    seen = ", ".join(sorted({row["runtime"] for row in rows}))
    extra = EXTRAS.get(runtime or "")
    install = f"`pip install 'kdprune[{extra}]'` and " if extra else ""
    return KdpruneError(
        f"--runtime {runtime}: {path} has no times of {dataset} in it; it has {seen}; "
        f"{install}run `{again(runtime)}`"
    )


def again(runtime: str | None) -> str:
    """Return the command that times the networks anew, in `runtime` too."""
    return ASKING.get(runtime or "", "") + AGAIN

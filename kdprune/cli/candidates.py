"""What is said of a candidate: which network it is, its numbers, and the command that writes it."""

import math
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdprune.study.latencies import FORMS, NAMES

if TYPE_CHECKING:
    from kdprune.deployment.recommendation import Candidate, Shortfall
    from kdprune.study.latencies import Latencies


def written(level: float) -> str:
    """Return a level in as few digits as name it and no other: export looks for this very one."""
    short = f"{level:g}"
    return short if float(short) == level else repr(float(level))


def export(one: "Candidate", project: Path, forms: Sequence[str]) -> str:
    """Return the command that writes a candidate: in its coding, else in `forms`."""
    words = ["python", "-m", "kdprune", "export", f"{one.dataset}-{one.network}"]
    if one.method == "trained":
        words += ["--as-trained"]
    else:
        words += ["--method", one.swept, "--level", written(one.level)]
    if one.coding:
        words += ["--format", "compressed", "--coding", one.coding]
    elif forms:
        words += ["--format", ",".join(forms)]
    return shlex.join(words + (["--project", str(project)] if project != Path() else []))


def forms(limits: Collection[str], runtime: str | None) -> list[str]:
    """Return the forms that limits are on: of bytes, safetensors; of time, what ran; else either.

    Without a limit, what ran is what is of use, and without that, what `export` writes anyway.
    """
    wanted = ["safetensors"] if "max_bytes" in limits else []
    if runtime and (not wanted or "max_latency" in limits):
        wanted.append(FORMS[runtime])
    return list(dict.fromkeys(wanted))


def name(one: "Candidate") -> str:
    """Return which network it is, and how it was pruned."""
    unpruned = {"trained": "as trained", "none": "unpruned, tuned as the pruned are"}
    how = unpruned.get(one.method, f"{one.method} pruning at level {one.level:g}")
    return f"{one.network} ({one.role}), {how}" + (f", as {one.coding}" if one.coding else "")


def numbers(
    one: "Candidate", drop_from: str, batch: int, images: int | None, measured: "Latencies"
) -> list[str]:
    """Return lines: what a candidate counts, how accurate it is, and what a pass takes."""
    against = "the best unpruned network" if drop_from == "best" else "itself unpruned"
    side = "below" if one.drop >= 0 else "above"
    spread = "" if one.test_low is None else f" [{one.test_low:.2f}, {one.test_high:.2f}]"
    read_off = f" on {images:,} images" if images else ""
    repeats = "trained once" if one.method == "trained" else f"n = {one.seeds} fine-tuning seeds"
    stored = f", {one.stored_params:,} stored" if one.masked else ""
    lines = [
        f"{one.params:,} parameters{stored}; {one.macs:,} multiply-adds",
        f"validation {one.val_accuracy:.2f} %, {abs(one.drop):.2f} points {side} {against}",
        f"test {one.test_accuracy:.2f} %{spread}{read_off}, {repeats}",
    ]
    if one.bytes is not None:
        lines.append(f"file of at most {one.bytes:,} bytes, {one.coding or 'safetensors'}")
    if one.latency_ms is not None and measured.runtime:
        noise = "" if one.steady else "; this is noise: its quartiles lie far apart"
        where = f"in {NAMES[measured.runtime]} on {measured.devices}"
        lines.append(f"latency {one.latency_ms:.3g} ms at batch {batch} {where}{noise}")
    if one.masked:
        lines.append("masked, not smaller: zeroed weights make a network no faster")
    return lines


UNITS = {"max_params": "parameters", "max_drop": "points"}
UNITS |= {"max_latency": "ms", "max_bytes": "bytes"}
COUNTS = ("max_params", "max_bytes")  # in whole numbers


def missed(item: "Shortfall") -> str:
    """Return which limit nothing keeps, and what comes nearest."""
    option, unit = f"--{item.limit.replace('_', '-')}", UNITS[item.limit]
    if math.isinf(item.excess):
        if item.limit == "max_bytes":
            return f"  {option}: the bytes of {name(item.nearest)} are not known"
        known = "is noise" if item.nearest.steady is False else "is not known"
        return f"  {option}: the latency of {name(item.nearest)} {known}"
    gap = f"{item.excess:,.0f}" if item.limit in COUNTS else f"{item.excess:.3g}"
    rest = "it keeps the other limits" if not item.others else "it misses another limit too"
    return (
        f"  {option} {item.allowed:,g} is kept by {item.alone}; nearest, {gap} {unit} over: "
        f"{name(item.nearest)} ({rest})"
    )

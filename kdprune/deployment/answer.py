"""Which of a compression's candidates is shipped, and the lines that say so."""

from collections.abc import Sequence
from dataclasses import replace

from kdprune.deployment.intervals import wilson
from kdprune.deployment.recommendation import (
    TRAINED,
    UNPRUNED,
    Candidate,
    ranked,
)

BUDGETS = ("max_params", "max_latency", "max_bytes")


def split(candidates: Sequence[Candidate], network: str) -> tuple[Candidate, list[Candidate]]:
    """Return the network that was given, as it was trained, and what it may be replaced by.

    Those are all pruned ones, and a student's that is not. A drop is in points of validation
    accuracy below the network that was given. Raises LookupError where that is not there.
    """
    before = next(one for one in candidates if one.network == network and one.method == TRAINED)
    others = [one for one in candidates if one.method not in (TRAINED, UNPRUNED)]
    others += [one for one in candidates if one.method == UNPRUNED and one.role == "student"]
    drop = before.val_accuracy
    return before, [replace(one, drop=drop - one.val_accuracy) for one in others]


def chosen(candidates: Sequence[Candidate], limits: dict[str, float]) -> list[Candidate]:
    """Return those within all limits, the best first.

    Where a budget of size or time is named, the best is the most accurate on validation images;
    where only a drop is, it is the smallest.
    """
    kept = ranked(candidates, limits)
    if any(name in limits for name in BUDGETS):
        return kept
    return sorted(kept, key=lambda one: (one.params, one.macs, -one.val_accuracy))


def figures(one: Candidate, images: int, size: int | None = None) -> str:
    """Return a network's figures in a line; `images` were tested on, `size` is in bytes."""
    low, high = wilson(one.test_accuracy, images)
    held = f"{size:,} bytes, " if size else ""
    stored = f" of {one.stored_params:,}" if one.masked else ""
    time = f", {one.latency_ms:.3g} ms" if one.latency_ms is not None else ""
    return (
        f"test {one.test_accuracy:.1f} % [{low:.1f}, {high:.1f}], {one.params:,}{stored} "
        f"parameters, {held}{one.macs:,} multiply-adds{time}"
    )


def named(one: Candidate) -> str:
    """Return what was done to a candidate."""
    how = "not pruned" if one.method == UNPRUNED else f"{one.method} pruning at level {one.level:g}"
    side = "below" if one.drop > 0 else "above"
    drop = f"{abs(one.drop):.2f} points {side} it" if one.drop else "as good"
    who = f"{one.network}, " if one.role == "student" else ""
    return f"{who}{how}: validation {one.val_accuracy:.1f} %, {drop}"

"""How long a study takes on so many slots, before it is run: `kdprune run --dry`.

Seconds are those of earlier runs, else what `kdprune plan` measures of the networks, else those of
GPUs that are assumed, not seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kdprune.errors import KdpruneError
from kdprune.progress import duration
from kdprune.running.makespan import makespan

if TYPE_CHECKING:
    from kdprune.config.params import Params
    from kdprune.planning.cost import Work

SLOTS = (1, 2, 4, 8, 16, 64)
MOMENT = 0.1  # seconds a measurement of `plan`, where no run was timed: a third off is near enough
HEAD = 0.1  # of a step: a step of all seeds' classifiers is one small product
DOWNLOAD = 10.0  # seconds: no plan knows a line's speed


@dataclass(frozen=True)
class Assumed:
    """A GPU that nobody has measured: a step takes at least so long, and work adds to it."""

    step: float  # seconds
    flops: float  # a second
    start: float  # seconds an instance: processes, data

    def seconds(self, work: "Work") -> float:
        """Return how long an instance takes."""
        steps = work.steps + HEAD * work.head_steps
        return self.start + steps * self.step + (work.forward + work.backward) / self.flops

    def told(self) -> str:
        """Say what is assumed."""
        return (
            f"assumed of each GPU, measured on none: {self.step * 1000:g} ms a step "
            f"({HEAD:g} of it for a classifier alone), "
            f"{self.flops / 1e12:g} TFLOP/s beside it, {self.start:g} s to start an instance"
        )


def assumed(text: str) -> Assumed:
    """Read "2.5,20,20": milliseconds a step, TFLOP/s, seconds of start. Raises KdpruneError."""
    try:
        step, speed, start = (float(part) for part in text.split(","))
        if not (step >= 0 and speed > 0 and start >= 0 and step + speed + start < 1e9):
            raise ValueError
    except ValueError:
        raise KdpruneError(
            f"--assume {text}: must be milliseconds a step, TFLOP/s and seconds to start an "
            "instance, such as 2.5,20,20"
        ) from None
    return Assumed(step / 1000, speed * 1e12, start)


def seconds(
    known: Mapping[str, float | None], params: "Params", given: Assumed | None = None
) -> tuple[dict[str, float], str]:
    """Return each instance's seconds, and where they come from.

    `known` has those of earlier runs (`believed.timed`). Where one is None, all networks are looked
    at, which takes a while; what `plan` says is corrected by what was timed.
    """
    if given is None and all(known.values()):
        return {name: taken or 0.0 for name, taken in known.items()}, "as the last runs took"
    from kdprune.planning.plan import plan

    planned = plan(params, Path(), seconds=None if given else MOMENT)
    rows = {f"{row['kind'].partition(' ')[0]}@{row['key']}": row for row in planned["rows"]}
    if given:
        costs = {name: given.seconds(rows[name]["work"]) for name in known if name in rows}
        return {name: costs.get(name, given.start) for name in known}, given.told()
    costs = {name: rows[name]["seconds"] if name in rows else DOWNLOAD for name in known}
    both = [name for name, taken in known.items() if taken and costs[name]]
    planned_too = sum(costs[name] for name in both)
    pace = sum(known[name] or 0.0 for name in both) / planned_too if both else 1.0
    whence = f"{sum(map(bool, known.values()))} as they took, the others by a calibration"
    return {name: taken or pace * costs[name] for name, taken in known.items()}, whence


def lines(needs: Mapping[str, Sequence[str]], known: Mapping[str, float]) -> Iterator[str]:
    """Yield the instances in order, and how long they take on more and more slots."""
    for name in needs:
        yield f"{name}  about {known[name]:.0f} s"
    yield f"{len(needs)} of the study's instances are stale"
    if not needs:
        return
    alone = makespan(needs, known, 1)
    for slots in SLOTS:
        taken = makespan(needs, known, slots)
        ratio = f" ({alone / taken:.1f} times faster)" if slots > 1 and taken else ""
        yield f"{slots:3} at once: about {duration(taken)}{ratio}"
    yield f"longest chain: about {duration(makespan(needs, known, len(needs)))}"

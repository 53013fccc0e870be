"""The sections `compress` and `attribute`, and the instances that follow: none, unless named."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from kdprune.config.section import Section

FOLDER = "results/compress"
TRAJECTORIES = "results/sparsify"
ATTRIBUTIONS = "results/attribute"
TEACHERS, STUDENTS, SWEEPS = "results/teach", "results/distill", "results/prune"


def check_once(bits: list[int]) -> list[int]:
    """Check that no number of bits is named twice. Raises ValueError."""
    if len(set(bits)) != len(bits):
        raise ValueError(f"{bits} names one twice; name each once")
    return bits


class Compress(Section):
    """Which codings of the pruned networks are written and measured."""

    bits: Annotated[list[Annotated[int, Field(ge=2, le=8)]], AfterValidator(check_once)]


class Attribute(Section):
    """Of which prunings the loss at the breakpoint is taken apart."""

    methods: list[str]


def attributed(params: Any) -> list[str]:
    """Return those prunings; none for a study from before there was a choice."""
    return params.attribute.methods if params.attribute else []


def bits(params: Any) -> list[int]:
    """Return the bits of shared values; none for a study from before there was a choice."""
    return params.compress.bits if params.compress else []


def grid(
    expanded: Mapping[str, Mapping[str, Mapping[str, str]]],
    bits: Sequence[int],
    attributed: Sequence[str] = (),
) -> dict[str, dict[str, dict[str, str]]]:
    """Return what the grid has besides `expanded`: the `compressions`, one per sweep if there are
    any `bits`, and the `attributions`, one per sweep of the prunings `attributed`.

    `collected` holds the folders that the stage collect depends on for these and for what is
    expanded, as DVC refuses one that no stage writes. There always are teachers.
    """
    sweeps = expanded["sweeps"]
    chosen = {key: dict(item) for key, item in sweeps.items()} if bits else {}
    apart = {key: dict(item) for key, item in sweeps.items() if item["method"] in attributed}
    swept = SWEEPS if sweeps else TEACHERS
    folders = {
        "students": STUDENTS if expanded["students"] else TEACHERS,
        "sweeps": swept,
        "codings": FOLDER if chosen else swept,
        "trajectories": TRAJECTORIES if expanded["trajectories"] else swept,
        "attributions": ATTRIBUTIONS if apart else swept,
    }
    collected = {name: {"folder": folder} for name, folder in folders.items()}
    return {"compressions": chosen, "attributions": apart, "collected": collected}

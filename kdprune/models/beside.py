"""What timm writes beside a network's weights: config.json, as on the Hugging Face Hub.

The form is that of timm.models.save_for_hf: "architecture", "model_args", "label_names", and under
"pretrained_cfg" "mean", "std" and "input_size". It is data from anywhere, and read as such.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm

from kdprune.errors import KdpruneError
from kdprune.terminal import printable
from kdprune.untrusted import refusal

NAME = "config.json"
BYTES = 4 << 20
SMALLEST, LARGEST = 8, 512  # pixels


@dataclass(frozen=True)
class Beside:
    """A network's name by timm, its arguments, and what images and answers of its file are."""

    timm_name: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    normalised: Mapping[str, list[float]] | None = None
    size: int | None = None
    classes: tuple[str, ...] | None = None


def told(weights: Path) -> Beside | None:
    """Return what the config.json beside a file of weights says; None for none of timm's.

    Another program's file of that name is passed over. Raises KdpruneError where timm's says what
    cannot be.
    """
    path = weights.with_name(NAME)
    try:
        if not path.is_file() or path.stat().st_size > BYTES:
            return None
        given = json.loads(path.read_text(encoding="utf-8"))
        inner = given.get("pretrained_cfg", given)
        name = str(given["architecture"]).partition(".")[0]
        if not isinstance(inner, dict) or not timm.is_model(name):
            return None
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    try:
        arguments = dict(given.get("model_args") or {})
        arguments.pop("num_classes", None)  # which the last layer says itself
        if fault := refusal(arguments):
            raise ValueError(f"model_args: {fault}")
        return Beside(name, arguments, _normalised(inner), _size(inner), _classes(given, inner))
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        reason = printable(str(error).partition("\n")[0])[:150]
        raise KdpruneError(f"{path}: {reason}; mend it, or move it away") from None


def _normalised(inner: Mapping[str, Any]) -> dict[str, list[float]] | None:
    if "mean" not in inner or "std" not in inner:
        return None
    held = {part: [float(value) for value in inner[part]] for part in ("mean", "std")}
    for part, values in held.items():
        least = 0.0 if part == "mean" else 1e-6
        if len(values) != 3 or not all(least <= value <= 1 for value in values):
            raise ValueError(f"{part} is not three numbers from 0 to 1")
    return held


def _size(inner: Mapping[str, Any]) -> int | None:
    """Return the side of its images; None where it is not told, or is none that is kept here."""
    channels, *sides = inner.get("input_size") or (3,)
    if channels != 3:
        raise ValueError(f"input_size: has {channels} channels; images of 3 are read")
    fits = len(sides) == 2 and sides[0] == sides[1] and SMALLEST <= sides[0] <= LARGEST
    return int(sides[0]) if fits else None


def _classes(given: Mapping[str, Any], inner: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the names of the outputs in their order; None where not every output has one."""
    names = given.get("label_names") or inner.get("label_names")
    if isinstance(names, Mapping):  # output to name
        names = [names.get(str(at)) for at in range(len(names))]
    if not isinstance(names, list):
        return None
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        return None
    count = given.get("num_classes", inner.get("num_classes", len(names)))
    return tuple(names) if len(names) == count else None

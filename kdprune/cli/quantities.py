"""What is given on the command line: numbers of parameters, points, times; folders; KEY=VALUE."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from kdprune.errors import KdpruneError
from kdprune.files import expanded


def _scaled(text: str, units: dict[str, float], kind: str) -> float:
    lowered = text.strip().lower()
    unit = next((one for one in sorted(units, key=len, reverse=True) if lowered.endswith(one)), "")
    try:
        value = float(lowered.removesuffix(unit)) * units.get(unit, 1)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no {kind}")
    return value


def params(text: str) -> float:
    """Read a number of parameters: 50000, 200k, 2M."""
    return _scaled(text, {"k": 1e3, "m": 1e6, "b": 1e9}, "number of parameters; write 200k or 2M")


def size(text: str) -> float:
    """Read bytes: 20000, 100k, 0.5MB."""
    units = {"k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9}
    return _scaled(text, units, "size; write 100k or 0.5M")


def points(text: str) -> float:
    """Read percentage points: 1.0."""
    return _scaled(text, {}, "number of points; write 1.0")


def milliseconds(text: str) -> float:
    """Read a time as milliseconds: 5ms, 800us, 0.01s, or a plain number of milliseconds."""
    return _scaled(text, {"us": 1e-3, "ms": 1, "s": 1e3}, "time; write 5ms")


def count(text: str) -> int:
    """Read a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def words(text: str) -> list[str]:
    """Return what commas separate."""
    return [word.strip() for word in text.split(",")]


def three(text: str) -> list[float]:
    """Return three shares, such as a mean of red, green and blue: "0.5,0.5,0.5"."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 3 or not all(0 <= value <= 1 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not three numbers from 0 to 1: 0.5,0.5,0.5")
    return values


def resolved(where: str, path: Path) -> Path:
    """Return a folder's whole path, with ~ as a home. Raises KdpruneError for links in a circle."""
    try:
        return expanded(path).resolve()
    except (OSError, RuntimeError):  # RuntimeError: until Python 3.13
        raise KdpruneError(f"{where} {path}: is a circle of links; name another folder") from None


def overrides(given: Sequence[str]) -> None:
    """Raise KdpruneError for what would be an option of conf/compose.py, and no KEY=VALUE."""
    for text in given:
        if text.startswith("-") or "=" not in text:
            raise KdpruneError(f"{text}: is no KEY=VALUE, such as teach.epochs=3")

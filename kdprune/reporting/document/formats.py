"""How names and numbers are written. What is missing is a dash, never a NaN."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

MISSING = "–"
MINUS = "−"
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
DISTILLERS = {
    "at": "AT",
    "ban": "BAN",
    "fitnet": "FitNet",
    "fn": "FN",
    "none": "no teacher",
    "sp": "SP",
    "kd": "KD",
    "semckd": "SemCKD",
    "simkd": "SimKD",
    "srrl": "SRRL",
    "crd": "CRD",
    "vid": "VID",
}
CONDITIONS = {"distilled": "distilled, unpruned", "teacher": "teacher, unpruned"}


def is_missing(value: Any) -> bool:
    """Tell whether a value is None, NaN, infinite or the empty string."""
    if value is None or value is pd.NA or (isinstance(value, str) and not value):
        return True
    return isinstance(value, float) and not math.isfinite(value)


def fixed(digits: int, least: int | None = None) -> Callable[[float], str]:
    """Return a format with `digits` decimals; zeros at the end go, down to `least` decimals."""

    def write(value: float) -> str:
        if is_missing(value):
            return MISSING
        text = f"{value:,.{digits}f}"
        if least is not None and least < digits:
            kept = text.rstrip("0")
            text = text[: max(len(kept), len(text) - digits + least)]
        return minus(text)

    return write


def share(value: float) -> str:
    """Write a share between 0 and 1 in percent, one decimal."""
    return fixed(1)(100 * value) if not is_missing(value) else MISSING


def printed(value: float) -> str:
    """Write parameters in units of 1e7: the paper's two decimals where they suffice, else four."""
    if is_missing(value):
        return MISSING
    return fixed(2)(value) if abs(value - round(value, 2)) < 1e-9 else fixed(4)(value)


def whole(value: float) -> str:
    """Write a count."""
    return fixed(0)(value)


def millions(value: float) -> str:
    """Write a count in millions, three decimals."""
    return fixed(3)(value / 1e6) if not is_missing(value) else MISSING


def probability(value: float) -> str:
    """Write a p-value: three decimals, and below 0.001 three significant digits."""
    if is_missing(value):
        return MISSING
    if value <= 0:
        return "0"
    if value >= 0.001:
        return f"{value:.3f}"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{digits}e{int(exponent)}"


def minus(text: str) -> str:
    """Set a true minus sign; a zero has no sign."""
    if text.startswith("-") and not any(digit in text for digit in "123456789"):
        text = text[1:]
    return text.replace("-", MINUS)


def signed(text: str) -> str:
    """Put a plus before a number that has no sign and is not zero."""
    bare = text.startswith((MINUS, "+", MISSING)) or not any(d in text for d in "123456789")
    return text if bare else f"+{text}"


def dataset(name: str) -> str:
    """Return a data set's name as it is usually written."""
    return DATASETS.get(name, name)


def distiller(name: str) -> str:
    """Return a distillation method's name as it is usually written; none for a teacher."""
    return DISTILLERS.get(name, name)


def condition(name: str) -> str:
    """Return what a condition is called in sentences: "weight pruning", "distilled, unpruned"."""
    return CONDITIONS.get(name, f"{name} pruning")


def network(row: Any) -> str:
    """Return "teacher → student" of a row, or the teacher's name alone."""
    return f"{row['teacher']} → {row['student']}" if row["student"] else row["teacher"]


def listed(items: Sequence[str]) -> str:
    """Join words as a sentence does: "a", "a and b", "a, b and c"."""
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def counted(count: int, noun: str) -> str:
    """Return "1 pair", "2 pairs"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

"""How names and numbers are written. What is missing is a dash, never a NaN."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from kdprune.methods import parts

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
PRUNINGS = {
    "aofp": "AOFP",
    "gal": "GAL",
    "global_weight": "global weight pruning",
    "lamp": "LAMP pruning",
    "magnitude": "iterative magnitude pruning",
    "one_shot": "one-shot pruning",
    "pqk": "PQK",
    "random": "random weight pruning",
    "random_channel": "random channel pruning",
    "scratch": "training from scratch",
    "ssl": "SSL",
    "taylor": "Taylor pruning",
}
FAMILIES = {
    "densenet": "DenseNet",
    "efficientnet": "EfficientNet",
    "mobilenetv": "MobileNet",
    "resnet": "ResNet",
}


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


def short(value: float) -> str:
    """Write three significant digits: 0.654, 1.14, 12.3, 1,490."""
    if is_missing(value):
        return MISSING
    if value == 0:
        return "0"
    whole = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    return minus(f"{float(f'{value:.2e}'):,.{max(0, 2 - whole)}f}")


def size(value: float) -> str:
    """Write a count of parameters as people say it: 0.43 M, 12.3 M; below 10,000 in thousands."""
    if is_missing(value):
        return MISSING
    return f"{short(value / 1e3)} k" if value < 1e4 else f"{short(value / 1e6)} M"


def points(value: float) -> str:
    """Write a difference of accuracies in points, with its sign: −0.33, +1.2."""
    return signed(fixed(2)(value))


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


def taught(name: str) -> str:
    """Return how students were trained: "by SimKD", "without a teacher"."""
    return "without a teacher" if name in ("", "none") else f"by {distiller(name)}"


def condition(name: str) -> str:
    """Return what a condition is called in sentences: "weight pruning", "distilled, unpruned".

    A sweep that is tuned by a distillation method says so: "weight pruning, tuned by KD".
    """
    pruning, tuned = parts(name)
    told = PRUNINGS.get(pruning, f"{pruning} pruning".replace("_", " "))
    told += f", tuned by {distiller(tuned)}" if tuned else ""
    return CONDITIONS.get(name, told)


def family(name: str) -> str:
    """Return the family of an architecture by its name: "ResNet" of resnet10_24."""
    letters = re.match(r"[A-Za-z]+", name)
    return FAMILIES.get(letters[0].lower(), letters[0]) if letters else name


def network(row: Any) -> str:
    """Return "teacher → student" of a row, or the teacher's name alone."""
    return f"{row['teacher']} → {row['student']}" if row["student"] else row["teacher"]


def capital(text: str) -> str:
    """Begin with a capital letter; others stay: "LAMP pruning", "SSL"."""
    return text[:1].upper() + text[1:]


def listed(items: Sequence[str]) -> str:
    """Join words as a sentence does: "a", "a and b", "a, b and c"."""
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def counted(count: int, noun: str) -> str:
    """Return "1 pair", "2 pairs"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

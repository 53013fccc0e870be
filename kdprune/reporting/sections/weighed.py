"""What the answer becomes where something else is counted than all parameters."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdprune.analysis import reached
from kdprune.analysis.sizes import FLOATS, ratios
from kdprune.reporting.document.formats import condition, counted, fixed, is_missing, listed
from kdprune.reporting.headline import UNITS, Headline, decided

OWN = ["dataset", "role", "distill"]
figure = fixed(2)


def lead_by_bytes(headline: Headline, sizes: pd.DataFrame | None, *, confidence: float) -> str:
    """Say how the verdict's sentence goes on by bytes, its comma first; "" where none are known.

    A lead by parameters stays where every count of bytes has it, with an interval above 1; else it
    is gone. Of one that was never sure, it is said whether bytes make it so.
    """
    table = _ratios(dict(headline.row), sizes, confidence=confidence)
    if table.empty or table.ratio_low.isna().any() or headline.n < 2:
        return ""
    ahead, behind = condition(headline.ahead), condition(headline.behind)
    turned = headline.ahead != headline.row["first"]
    low, high = table.ratio_low.min(), table.ratio_high.max()
    if turned:
        low, high = 1 / high, 1 / low
    if high < 1:
        return f"; by bytes {behind} leads"
    if decided(headline, confidence):
        return f"; by bytes the lead {'stays' if low > 1 else 'is gone'}"
    return f"; by bytes {ahead} leads" if low > 1 else ", by parameters or by bytes"


def leads(
    every: list[Headline], sizes: pd.DataFrame | None, *, confidence: float
) -> Mapping[str, str]:
    """Return what `lead_by_bytes` says, by data set."""
    return {one.dataset: lead_by_bytes(one, sizes, confidence=confidence) for one in every}


def _ratios(row: dict[str, Any], sizes: pd.DataFrame | None, *, confidence: float) -> pd.DataFrame:
    """Return the ratios by bytes of the networks of a row of significance, a row per count."""
    if sizes is None:
        return pd.DataFrame()
    return ratios(_own(sizes, row), row["first"], row["second"], confidence=confidence)


def _own(table: pd.DataFrame, row: dict[str, Any]) -> pd.DataFrame:
    return table[(table[OWN] == pd.Series(row)[OWN]).all(axis=1)]


def bytes_of(row: dict[str, Any], sizes: pd.DataFrame | None, *, confidence: float) -> str:
    """Say who is ahead by bytes in every count, for the networks of a row of significance."""
    table = _ratios(row, sizes, confidence=confidence)
    if table.empty:
        return ""
    first, second = row["first"], row["second"]
    n = counted(int(table.n.min()), UNITS[row["role"]])
    views = [_view(item, first, second) for item in table.to_dict("records")]
    files = " Codings are real files, and accuracy is that of what is read from them."
    return (
        f"By bytes in place of parameters, accuracy by megabyte at the breakpoints (n = {n}; "
        f"{100 * confidence:g} % CI): {'; '.join(views)}. In brackets, what each takes for a "
        f"parameter that is left.{files if set(table['count']) - {FLOATS} else ''}"
    )


def reached_of(row: dict[str, Any], table: pd.DataFrame | None, *, confidence: float) -> str:
    """Say who is ahead by the parameters that an image reaches; "" where that is not known.

    `table` is that of `kdprune.analysis.reached`, `row` one of significance.
    """
    own = pd.DataFrame() if table is None else _own(table, row)
    if own.empty:
        return ""
    first, second = row["first"], row["second"]
    found = reached.ratio(own, first, second, confidence=confidence)
    if is_missing(found["ratio"]):
        return ""
    ahead, behind = (first, second) if found["ratio"] >= 1 else (second, first)
    sign = 1 if ahead == first else -1
    ends = sorted(found[end] ** sign for end in ("ratio_low", "ratio_high"))
    return (
        "Without the weights that only ever meet zero padding, which no image reaches, "
        f"{condition(ahead)} has {figure(found['ratio'] ** sign)} times the accuracy per parameter "
        f"of {condition(behind)} (n = {counted(found['n'], UNITS[row['role']])}; "
        f"{100 * confidence:g} % CI {figure(ends[0])} to {figure(ends[1])})."
    )


def _view(item: dict[str, Any], first: str, second: str) -> str:
    ahead, behind = (first, second) if item["ratio"] >= 1 else (second, first)
    sign = 1 if ahead == first else -1
    each = {first: item["first_bytes"], second: item["second_bytes"]}
    said = (
        f"{name(item['count'])}, {condition(ahead)} has {figure(item['ratio'] ** sign)} times that "
        f"of {condition(behind)}"
    )
    if not is_missing(item["ratio_low"]):
        ends = sorted(item[end] ** sign for end in ("ratio_low", "ratio_high"))
        said += f", {figure(ends[0])} to {figure(ends[1])}"
    return f"{said} ({listed([f'{figure(each[one])} bytes' for one in (ahead, behind)])})"


def name(count: str) -> str:
    """Return a coding in words."""
    if count == FLOATS:
        return "as plain numbers"
    if count == "int8":
        return "in steps of 8 bits"
    return f"by shared values of {count.removeprefix('shared')} bits"

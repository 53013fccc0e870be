"""What the answer becomes where bytes are counted in place of parameters."""

from typing import Any

import pandas as pd

from kdprune.analysis.sizes import FLOATS, ratios
from kdprune.reporting.document.formats import condition, counted, fixed, is_missing, listed

figure = fixed(2)


def bytes_of(row: dict[str, Any], sizes: pd.DataFrame | None, *, confidence: float) -> str:
    """Say who is ahead by bytes in every count, for the students of a row of significance."""
    if sizes is None:
        return ""
    own = (sizes.dataset == row["dataset"]) & (sizes.role == "student")
    part = sizes[own & (sizes.distill == row["distill"])]
    first, second = row["first"], row["second"]
    table = ratios(part, first, second, confidence=confidence)
    if table.empty:
        return ""
    n = counted(int(table.n.min()), "pair")
    views = [_view(item, first, second) for item in table.to_dict("records")]
    files = " Codings are real files, and accuracy is that of what is read from them."
    return (
        f"By bytes in place of parameters, accuracy by megabyte at the breakpoints (n = {n}; "
        f"{100 * confidence:g} % CI): {'; '.join(views)}. In brackets, what each takes for a "
        f"parameter that is left.{files if set(table['count']) - {FLOATS} else ''}"
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

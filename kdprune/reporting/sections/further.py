"""The comparisons beside a data set's main one, for the report's fold."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kdprune.reporting.document.formats import capital, is_missing
from kdprune.reporting.headline import headline_of
from kdprune.reporting.sections.verdict import brief, students


def further(others: Sequence[Any], scored: pd.DataFrame, confidence: float) -> list[str]:
    """Say each comparison that can be tested, and how many of the same students cannot."""
    said: list[str] = []
    without: dict[tuple[str, str], list[Any]] = {}
    for row in others:
        if is_missing(row["log_p"]):
            without.setdefault((students(row), str(row["reason"])), []).append(row)
        else:
            said.append(brief(headline_of(row, scored), confidence=confidence))
    for (who, reason), rows in without.items():
        if len(rows) == 1:
            said.append(brief(headline_of(rows[0], scored), confidence=confidence))
        else:
            why = capital(reason or "all are equal")
            said.append(
                f"{who}: {len(rows)} comparisons have no test. {why}. "
                "The ratios stand in the table of every comparison."
            )
    return said

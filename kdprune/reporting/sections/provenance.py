"""Where a report comes from: version, tables with their hash, and how to check it."""

import hashlib
from collections.abc import Mapping

import pandas as pd

from kdprune import __version__
from kdprune.reporting.document.blocks import Block, Bullets, Links, Text

TABLES = {
    "breakpoints": "../metrics/breakpoints.csv",
    "efficiency": "../metrics/efficiency.csv",
    "significance": "../metrics/significance.csv",
    "curves": "accuracy.csv",
    "layers": "layers.csv",
    "training": "learning.csv",
}


def footer(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    """Return the blocks below a report.

    Neither a date nor a commit stands in them: the same tables give the same bytes, whoever writes
    the report and when, and git knows both.
    """
    hashes = [f"{name} {fingerprint(table)}" for name, table in tables.items()]
    return [
        Links("Tables behind it", TABLES),
        Bullets(
            [
                f"Made by kdprune {__version__}, with the package versions of requirements.lock.",
                f"SHA-256 of the tables, first eight digits: {', '.join(hashes)}.",
                "git log -1 -- plots/report.html tells the commit and the date.",
                "Accuracies are those of the machine that wrote dvc.lock. The page of deployment "
                "numbers names the device of each timing.",
                "make verify checks every number against its table.",
            ]
        ),
        Text("This page needs no network: style, script and pictures are in this file."),
    ]


def fingerprint(table: pd.DataFrame) -> str:
    """Return a short hash of a table's content."""
    text = table.to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(text.encode()).hexdigest()[:8]

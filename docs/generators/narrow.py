"""The finding's picture for telephones, drawn from the published study's tables."""

import tempfile
from pathlib import Path

import pandas as pd

from kdprune.reporting.figures import pictures
from kdprune.study import checked

STUDY = "desk"
NAMES = ("breakpoints", "efficiency", "significance")


def pairs(root: Path) -> str:
    """Return the SVG: names stand above their rows."""
    metrics = root / "studies" / STUDY / "metrics"
    results = {name: checked.read(metrics / f"{name}.csv", name) for name in NAMES}
    sweeps = [
        checked.read(file, made_by="prune") for file in sorted((metrics / "sweeps").glob("*.csv"))
    ]
    results["sweeps"] = pd.concat(sweeps, ignore_index=True)
    with tempfile.TemporaryDirectory() as folder:
        return pictures.narrow_pairs(results, Path(folder) / "pairs.svg").read_text("utf-8")

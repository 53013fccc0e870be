"""Every path of the pipeline, relative to the project's root, in one place.

What trains and sweeps writes under models/ and results/, which DVC caches and git ignores; the
stage collect copies the tables of the grid from there to metrics/ and plots/, which git tracks.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from kdprune.config import grid
from kdprune.files import expanded
from kdprune.records import teacher

METRICS = Path("metrics")
PLOTS = Path("plots")
RESULTS = Path("results")
SPARSE = Path(grid.SPARSE)
CACHE = Path(".run/downloads")  # archives and partial files; ignored by git and DVC
LOCK = Path("dvc.lock")

BREAKPOINTS = METRICS / "breakpoints"
EFFICIENCY = METRICS / "efficiency"
SIGNIFICANCE = METRICS / "significance"
VARIANCE = METRICS / "variance.csv"  # where there are several trainings of a pair
MEASURE = METRICS / "measure.csv"
CODINGS = METRICS / "codings.csv"
ATTRIBUTION = METRICS / "attribution.csv"
TRAJECTORIES = METRICS / "trajectories.csv"
ROUNDS = PLOTS / "trajectories.csv"


def summary(dataset: str) -> Path:
    """Return the JSON of a data set's main numbers."""
    return METRICS / "summary" / f"{dataset}.json"


def data(dataset: str) -> Path:
    """Return the folder of a data set's arrays."""
    return Path("data") / dataset


def manifest(dataset: str) -> Path:
    """Return the file that says what a data set's arrays are."""
    return data(dataset) / "manifest.json"


def checkpoint(role: str, key: str) -> Path:
    """Return a trained teacher's or student's file."""
    return Path("models") / f"{role}s" / f"{key}.safetensors"


def tutor(item: Mapping[str, str]) -> Path:
    """Return the file of the teacher that a student of the grid is distilled from."""
    return checkpoint("teacher", teacher(item))


def fitted(role: str, key: str) -> Path:
    """Return the folder of what a training tells of itself: training.json and learning.csv."""
    return RESULTS / ("teach" if role == "teacher" else "distill") / key


def swept(key: str) -> Path:
    """Return the folder of a sweep's tables: sweep.csv and layers.csv."""
    return RESULTS / "prune" / key


def coded(key: str) -> Path:
    """Return the folder of what the codings of a sweep's networks cost: codings.csv."""
    return RESULTS / "compress" / key


def attributed(key: str) -> Path:
    """Return the folder of what a sweep's loss at the breakpoint is made of: attribution.csv."""
    return RESULTS / "attribute" / key


def sparse(network: str, pruning: str) -> Path:
    """Return the folder of what a method that trains on its way left of a network, by level."""
    return SPARSE / f"{network}-{pruning}"


def sparsified(key: str) -> Path:
    """Return the folder of what such a training tells of itself: learning.csv and levels.csv."""
    return RESULTS / "sparsify" / key


def training(role: str, key: str) -> Path:
    """Return the JSON of a training's result."""
    return METRICS / ("teach" if role == "teacher" else "distill") / f"{key}.json"


def learning(key: str) -> Path:
    """Return the CSV of a training's learning curve."""
    return PLOTS / "learning" / f"{key}.csv"


def sweep(key: str) -> Path:
    """Return the CSV of a sweep: seeds x levels."""
    return METRICS / "sweeps" / f"{key}.csv"


def layers(key: str) -> Path:
    """Return the CSV of what a sweep left of each layer."""
    return METRICS / "layers" / f"{key}.csv"


def unfinished() -> Path:
    """Return the folder of the checkpoints of stages that have not ended.

    KDPRUNE_UNFINISHED names it, else it is .run/unfinished. It belongs to the clone: DVC runs a
    `--temp` experiment or a queued one in a copy below .dvc/tmp/exps, which it throws away.
    """
    given = os.environ.get("KDPRUNE_UNFINISHED") or ".run/unfinished"
    return _clone() / expanded(given)


def _clone() -> Path:
    """Return this workspace, or where DVC has copied it for an experiment, the clone it is of."""
    here = Path.cwd()
    for folder in here.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2]
    return Path()

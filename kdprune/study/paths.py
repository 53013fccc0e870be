"""Every path of the pipeline, relative to the project's root, in one place."""

from pathlib import Path

METRICS = Path("metrics")
PLOTS = Path("plots")
CACHE = Path(".run/downloads")  # archives and partial files; ignored by git and DVC
UNFINISHED = Path(".run/unfinished")  # checkpoints of stages that have not ended
LOCK = Path("dvc.lock")

BREAKPOINTS = METRICS / "breakpoints"
EFFICIENCY = METRICS / "efficiency"
SIGNIFICANCE = METRICS / "significance"


def summary(dataset: str) -> Path:
    """Return the JSON of a data set's main numbers."""
    return METRICS / "summary" / f"{dataset}.json"


def data(dataset: str) -> Path:
    """Return the folder of a data set's arrays."""
    return Path("data") / dataset


def checkpoint(role: str, key: str) -> Path:
    """Return a trained teacher's or student's file."""
    return Path("models") / f"{role}s" / f"{key}.safetensors"


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

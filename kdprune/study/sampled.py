"""What is known of a data set that itself may not be here: its test images, its classes."""

from pathlib import Path

from kdprune.config import params
from kdprune.data.canonical import DATASETS, EMBEDDED
from kdprune.records import read_json


def test_images(folder: Path, dataset: str) -> int | None:
    """Return a data set's test images, from its manifest, else from what it is known to hold.

    None for a data set of one's own that is not in `folder`/data.
    """
    try:
        count = read_json(_manifest(folder, dataset))["images"]["test"]
        return int(count) if int(count) > 0 else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        told = params.load(folder / "params.yaml")
    if dataset in (told.folders or {}):
        return None
    known = EMBEDDED if told.data.source == "embedded" else DATASETS.get(dataset)
    return known.counts["test"] if known else None


def classes(folder: Path, dataset: str) -> list[str]:
    """Return the names of a data set's classes, as `test_images` its images; [] where unknown."""
    try:
        return [str(name) for name in read_json(_manifest(folder, dataset))["classes"]]
    except (OSError, ValueError, KeyError, TypeError):
        known = DATASETS.get(dataset)
        return list(known.classes) if known else []


def _manifest(folder: Path, dataset: str) -> Path:
    return folder / "data" / dataset / "manifest.json"

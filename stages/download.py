"""Bring a data set into its canonical form: data/DATASET."""

from kdprune.data.sources import prepare
from kdprune.params import load
from stages import paths


def main(dataset: str) -> None:
    """Prepare `dataset` from the source that the parameters name."""
    params = load()
    prepare(
        dataset,
        params.data.source,
        paths.data(dataset),
        path=params.data.path,
        cache=paths.CACHE,
    )

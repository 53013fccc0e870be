"""Bring a data set into its canonical form: data/DATASET."""

from kdprune.config.params import load
from kdprune.sources import folder, prepare
from kdprune.study import paths


def main(dataset: str) -> None:
    """Prepare `dataset` from its folder, or from the source that the parameters name."""
    params = load()
    folders = params.folders or {}
    if dataset in folders:
        seen = params.data.model_dump(include={"size", "crop", "views"})
        folder.prepare(dataset, folders[dataset].path, paths.data(dataset), **seen)
        return
    prepare(
        dataset,
        params.data.source,
        paths.data(dataset),
        path=params.data.path,
        cache=paths.CACHE,
        views=params.data.views,
    )

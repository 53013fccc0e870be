"""Reads many image files, and counts those that cannot be read."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kdprune.data.ahead import ahead
from kdprune.data.canonical import Split
from kdprune.errors import KdpruneError
from kdprune.sources import pictures
from kdprune.sources.piling import Pile

THREADS = min(16, os.cpu_count() or 1)
WAITING = 64  # images
NAMED = 3  # of many bad files


def read(
    halves: Mapping[str, Mapping[str, Sequence[Path]]],
    root: Path,
    show: bool,
    side: int,
    beside: Path,
) -> dict[str, Split]:
    """Return the images of all halves, read by several threads: Pillow decodes without the GIL.

    They are laid down in a file in the folder `beside`, not held. Raises KdpruneError that counts
    all files that cannot be read, and names the first few.
    """
    paths = [path for named in halves.values() for held in named.values() for path in held]
    pile, bad, attempt = Pile(beside, side), [], partial(_attempt, side=side)
    with closing(ahead(attempt, paths, threads=THREADS, waiting=WAITING)) as read:
        hidden = not (show and sys.stderr.isatty())
        for image in tqdm(read, total=len(paths), unit="img", disable=hidden):
            if isinstance(image, KdpruneError):
                bad.append(str(image))
            elif not bad:
                pile.add(image)
    if bad:
        if len(bad) == 1:
            raise KdpruneError(bad[0])
        more = "; …" if len(bad) > NAMED else ""
        raise KdpruneError(
            f"{root}: {len(bad)} of {len(paths)} images cannot be used; mend or remove them: "
            + "; ".join(bad[:NAMED])
            + more
        )
    splits, begin, images = {}, 0, pile.whole()
    for half, named in halves.items():
        counts = [len(held) for held in named.values()]
        end = begin + sum(counts)
        splits[half] = (images[begin:end], np.repeat(np.arange(len(named)), counts))
        begin = end
    return splits


def _attempt(path: Path, side: int) -> np.ndarray | KdpruneError:
    try:
        return pictures.read(path, side)
    except KdpruneError as error:
        return error

"""How much memory there is, and how much of it a data set's images may take.

What does not fit is read from its files as it is needed: the same bytes, hence no parameter.
"""

import os
from pathlib import Path

from kdprune.errors import KdpruneError

VARIABLE = "KDPRUNE_IMAGES_GB"
SHARE = 1 / 8  # networks and their activations want the rest, and several instances may run at once
LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # of a container, by cgroups 2 and 1


def machine() -> int | None:
    """Return the bytes that this machine or container has; None where that is not told."""
    known = []
    for name in LIMITS:
        limit = Path("/sys/fs/cgroup", name)
        if limit.is_file() and (text := limit.read_text().strip()).isdigit():
            known.append(int(text))
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(known, default=None)


def for_images(whole: int | None) -> float:
    """Return how many bytes a data set's images may take, of a machine's or a GPU's `whole`.

    That is SHARE of it, or what KDPRUNE_IMAGES_GB says: 0 to read all from files. Raises
    KdpruneError where it says no number.
    """
    told = os.environ.get(VARIABLE)
    if not told:
        return float("inf") if whole is None else SHARE * whole
    try:
        given = float(told)
    except ValueError:
        given = -1.0
    if not given >= 0:
        raise KdpruneError(f"{VARIABLE}={told}: is no number of gigabytes; write 0, 1.5 or 20")
    return given * 1e9

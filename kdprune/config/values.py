"""What single values must be for the machine, beyond their type and range."""

import os
from typing import Any

from kdprune.config.grid import names, split_pair
from kdprune.config.replicates import listed

SEED = "distill.training.seed"
SMALLEST = 1e-12  # of what is not 0; beyond lie numbers that 32-bit floats do not hold
CONTRASTS = 2**25  # of crd in a batch: their row numbers alone are 256 MiB


def check_size(value: float) -> float:
    """Check that a number is 0, or not so near 0 that what it divides is endless.

    Raises ValueError.
    """
    if 0 < abs(value) < SMALLEST:
        raise ValueError(f"must be {SMALLEST:g} at least")
    return value


def check_nul(path: Any) -> Any:
    """Check that a path can be one: no system knows of a NUL in it. Raises ValueError."""
    if isinstance(path, str) and "\0" in path:
        raise ValueError("has a NUL character, which no path can hold; write it without")
    return path


def check_home(path: Any) -> Any:
    """Check that a path's ~ or ~user stands for a folder, and `check_nul`. Raises ValueError."""
    check_nul(path)
    if isinstance(path, str) and path.startswith("~") and os.path.expanduser(path) == path:
        raise ValueError(f"{path.split('/')[0]} is no user's home here; write the whole path")
    return path


def check_contrasts(distill: Any) -> None:
    """Check that crd's batches, of a `schema.Distill`, do not stand still. Raises ValueError."""
    negatives = distill.hyperparameters.get("crd", {}).get("negatives", 0)
    if "crd" not in names(distill.method) or not isinstance(negatives, int):
        return
    most = CONTRASTS // distill.training.batch_size - 1
    if negatives > most:
        raise ValueError(
            f"distill.crd.negatives = {negatives}: must be {most} at most with batches of "
            f"{distill.training.batch_size}, lest each takes minutes; 16384 is the authors'"
        )


def check_born_again(params: Any) -> None:
    """Check that a student of its teacher's architecture begins elsewhere. Raises ValueError."""
    seeds, own = (listed(part.seed) for part in (params.teach, params.distill.training))
    others = ",".join(str((seed + len(seeds)) % 2**31) for seed in seeds)
    setting = f"'{SEED}=[{others}]'" if len(seeds) > 1 else f"{SEED}={others}"
    same = any(seed == its for seed, its in zip(seeds, own, strict=True))
    for pair in params.pairs:
        teacher, student = split_pair(pair)
        fresh = not getattr(params.architectures[teacher], "weights", None)
        if teacher == student and fresh and same:
            raise ValueError(
                f"pairs: {pair!r} begins teacher and student with the same weights; give the "
                f"student a seed of its own: -S {setting}"
            )

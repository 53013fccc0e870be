"""Learning rates as pure functions of the step."""

import math
from collections.abc import Sequence


def learning_rate(
    name: str,
    step: int,
    steps: int,
    *,
    lr: float,
    warmup: float = 0.0,
    milestones: Sequence[float] = (),
    gamma: float = 0.1,
) -> float:
    """Return the learning rate of step `step` in 0 … steps - 1.

    constant: `lr` throughout. cosine: from `lr` to 0 on half a cosine (Loshchilov & Hutter, ICLR
    2017, arXiv:1608.03983), after a linear warm-up over the share `warmup` of all steps. onecycle:
    up from lr / 25 to `lr` over the share `warmup`, then down to lr / 1e4, on half cosines (Smith &
    Topin 2018, arXiv:1708.07120). step: `lr` times `gamma` for each of the `milestones`, shares of
    all steps, that have been passed. Raises ValueError for another name.
    """
    progress = step / max(1, steps)
    rising = warmup > 0 and progress < warmup
    falling = (progress - warmup) / (1 - warmup)
    if name == "constant":
        return lr
    if name == "cosine":
        return lr * (step + 1) / (warmup * steps + 1) if rising else _cosine(lr, 0.0, falling)
    if name == "onecycle":
        if rising:
            return _cosine(lr / 25, lr, progress / warmup)
        return _cosine(lr, lr / 1e4, falling)
    if name == "step":
        return lr * gamma ** sum(progress >= milestone for milestone in milestones)
    raise ValueError(f"schedule {name!r} is unknown; allowed: constant, cosine, onecycle, step")


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2

"""What a training is told: everything about it but the task and the images."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """SGD, its schedule (training.schedules) and its seed.

    `warmup` and `milestones` are shares of all steps. `precision` is fp32 or bf16. No epochs leave
    the network as it is.
    """

    epochs: int
    batch_size: int
    lr: float
    momentum: float
    nesterov: bool
    weight_decay: float
    schedule: str = "constant"
    warmup: float = 0.0
    milestones: Sequence[float] = ()
    gamma: float = 0.1
    precision: str = "fp32"
    seed: int = 0

"""What a training is told: everything about it but the task and the images."""

from collections.abc import Sequence
from dataclasses import dataclass

from kdprune.training.schedules import learning_rate


@dataclass(frozen=True)
class Recipe:
    """SGD, its schedule (training.schedules) and its seed.

    `warmup` and `milestones` are shares of all steps. `precision` is fp32 or bf16. No epochs leave
    the network as it is. `skipped` epochs of the schedule are taken as past when the first begins:
    learning-rate rewinding (Renda, Frankle and Carbin, ICLR 2020, arXiv:2003.02389) replays the end
    of another training's. `body` is the share of the rate at which all layers but the last learn
    (training.layers).
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
    skipped: int = 0
    body: float = 1.0

    def rate(self, step: int, batches: int) -> float:
        """Return the learning rate of `step` (from 0) in epochs of so many batches."""
        return learning_rate(
            self.schedule,
            step + self.skipped * batches,
            (self.skipped + self.epochs) * batches,
            lr=self.lr,
            warmup=self.warmup,
            milestones=self.milestones,
            gamma=self.gamma,
        )

"""What methods that prune while they train are given, and the plainest of what they train.

They train through the function that they get as `train`, and so know nothing of images, schedules
or checkpoints. A task is what `kdprune.training.loop.fit` takes; all that its later steps depend on
stands in parameters and buffers, so that a killed training goes on to the same network.
"""

from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional


class Train(Protocol):
    """Trains a task in place; the n-th call of a trajectory has the n-th seed."""

    @property
    def batches(self) -> int:
        """How many steps an epoch has."""

    def __call__(
        self,
        task: nn.Module,
        *,
        epochs: int,
        lr: float | None = None,
        weight_decay: float | None = None,
        schedule: str | None = None,
    ) -> None:
        """Train for `epochs`; None stands for what prune.finetune says, and for a constant rate."""


class Idle:
    """A training that takes itself for done: for rehearsals, where structure is all that counts."""

    batches = 1

    def __call__(self, task: nn.Module, **recipe: Any) -> None:
        """Leave `task` as it is."""


class OnLabels(nn.Module):
    """A network that is trained on labels alone."""

    capturable = True  # whether a GPU may record one step and replay it for every batch
    cost = 1.0  # of a step, in steps of the network alone; a forward pass more is a third

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar}."""
        return {"loss": functional.cross_entropy(self.network(images), labels)}

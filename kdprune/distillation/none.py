"""No distillation: cross-entropy with the labels. Teachers are trained so, and control students."""

import torch
from torch import nn
from torch.nn import functional

from kdprune.distillation.task import Task


class Supervised(Task):
    """A network trained on labels alone."""

    def __init__(
        self, student: nn.Module, teacher: nn.Module | None = None, *, labels: object = None
    ) -> None:
        super().__init__()
        self.network = student

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar}."""
        return {"loss": functional.cross_entropy(self.network(images), labels)}

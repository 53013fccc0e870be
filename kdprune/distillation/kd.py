"""KD: the student learns the teacher's softened logits beside the labels.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", NIPS 2014 Deep Learning
Workshop, arXiv:1503.02531. Its loss is `kdprune.distillation.weighted.kd_loss`, for the other
methods add it to their own.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from kdprune.distillation.taps import taps
from kdprune.distillation.weighted import Weights


class KD(nn.Module):
    """Cross-entropy and softened logits; nothing is trained but the student."""

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        *,
        labels: object = None,
        ce: Annotated[float, Field(ge=0)] = 1,
        kd: Annotated[float, Field(ge=0)] = 1,
        temperature: Annotated[float, Field(gt=0)] = 4,
    ) -> None:
        super().__init__()
        self.weights = Weights("kd", ce=ce, kd=kd, feature=0, temperature=temperature)
        self.network = student
        self._teacher = [teacher.eval()]  # in a list: neither trained, nor moved, nor saved

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, "ce", "kd"}."""
        with torch.no_grad():
            goal = taps(self._teacher[0], images, stages=False)
        seen = taps(self.network, images, stages=False)
        return self.weights.total(seen.logits, goal.logits, labels)

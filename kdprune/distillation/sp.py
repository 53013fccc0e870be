"""SP: the student learns which images of a batch the teacher finds alike.

Tung and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, arXiv:1907.09682.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import taps
from kdprune.distillation.weighted import Weights, full_precision


def similarities(maps: torch.Tensor) -> torch.Tensor:
    """Return [B, B]: products of all pairs of maps [B, C, H, W], each row of norm one."""
    flat = maps.flatten(1)
    return functional.normalize(flat @ flat.T, dim=1)


@full_precision
def sp_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Return the squared Frobenius distance of two similarities over B², of maps of any shapes.

    Its size depends on B: the weight is tuned for batches of 64.
    """
    return functional.mse_loss(similarities(student), similarities(teacher))


class SP(nn.Module):
    """Compares the maps that the classifiers pool; nothing is trained but the student."""

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        *,
        labels: object = None,
        ce: Annotated[float, Field(ge=0)] = 1,
        kd: Annotated[float, Field(ge=0)] = 1,
        feature: Annotated[float, Field(ge=0)] = 3000,
        temperature: Annotated[float, Field(gt=0)] = 4,
    ) -> None:
        super().__init__()
        self.weights = Weights("sp", ce=ce, kd=kd, feature=feature, temperature=temperature)
        self.network = student
        self._teacher = [teacher.eval()]  # in a list: neither trained, nor moved, nor saved

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, "ce", "kd", "feature"}."""
        with torch.no_grad():
            goal = taps(self._teacher[0], images, stages=False)
        seen = taps(self.network, images, stages=False)

        def feature() -> torch.Tensor:
            return sp_loss(seen.last, goal.last)

        return self.weights.total(seen.logits, goal.logits, labels, feature)

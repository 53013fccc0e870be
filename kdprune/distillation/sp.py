"""SP: the student learns which images of a batch the teacher finds alike.

Tung and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, arXiv:1907.09682.
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import Taps
from kdprune.distillation.weighted import Distillation, full_precision
from kdprune.methods import checked


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


class SP(Distillation):
    """Compares the maps that the classifiers pool; nothing is trained but the student."""

    stages = False

    @checked
    def __init__(
        self,
        *networks: nn.Module,
        feature: Annotated[float, Field(ge=0)] = 3000,
        **shared: Any,
    ) -> None:
        super().__init__(feature, *networks, **shared)

    def feature(
        self, seen: Taps, goal: Taps, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        """Return `sp_loss` of the maps that the classifiers pool."""
        return sp_loss(seen.last, goal.last)

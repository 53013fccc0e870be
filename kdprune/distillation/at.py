"""AT: the student learns where in the image the teacher's stages are active.

Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017, arXiv:1612.03928.
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import Taps, aligned, pairs, probed
from kdprune.distillation.weighted import Distillation, full_precision
from kdprune.errors import KdpruneError
from kdprune.methods import checked


def attention(maps: torch.Tensor) -> torch.Tensor:
    """Return [B, H·W]: the mean of squares over channels of maps [B, C, H, W], of norm one."""
    return functional.normalize(maps.square().mean(1).flatten(1), dim=1)


@full_precision
def at_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Return the mean over B and H·W of the squared difference of two attentions.

    Maps are [B, C, H, W], of any two widths; the larger is averaged to the smaller first.
    """
    student, teacher = aligned(student, teacher)
    return functional.mse_loss(attention(student), attention(teacher))


class AT(Distillation):
    """Sums over the stages whose maps are larger than one pixel: there, all attention is 1."""

    @checked
    def __init__(
        self,
        *networks: nn.Module,
        feature: Annotated[float, Field(ge=0)] = 1000,
        **shared: Any,
    ) -> None:
        super().__init__(feature, *networks, **shared)
        sizes = [
            aligned(*pair)[0][0, 0].numel()
            for pair in pairs(probed(self.network), probed(self.teacher))
        ]
        self.chosen = [stage for stage, pixels in enumerate(sizes) if pixels > 1]
        if not self.chosen:
            raise KdpruneError(
                "distill.method: at compares where maps are active, and all maps of this pair are "
                "1x1; use model.stem: cifar, or another method"
            )

    def feature(
        self, seen: Taps, goal: Taps, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        """Return the sum of `at_loss` over the chosen stages."""
        both = pairs(seen, goal)
        return torch.stack([at_loss(*both[stage]) for stage in self.chosen]).sum()

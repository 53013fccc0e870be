"""VID: the student's maps are to hold as much information about the teacher's as possible.

Ahn et al., "Variational Information Distillation for Knowledge Transfer", CVPR 2019,
arXiv:1904.05835.
"""

import math
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import Taps, aligned, pairs, probed
from kdprune.distillation.weighted import Distillation, full_precision
from kdprune.methods import checked

LEAST = 1e-5  # variance, so that its logarithm stays finite


@full_precision
def vid_loss(
    predicted: torch.Tensor, teacher: torch.Tensor, variance: torch.Tensor
) -> torch.Tensor:
    """Return the mean negative log-likelihood of the teacher's maps [B, C, H, W].

    Under a normal distribution about `predicted` with a `variance` [C] for each channel, without
    its constant: it may fall below 0.
    """
    variance = variance.view(1, -1, 1, 1)
    return (0.5 * ((predicted - teacher).square() / variance + variance.log())).mean()


def regressor(inputs: int, outputs: int) -> nn.Sequential:
    """Return what predicts the teacher's maps: three 1x1 convolutions, ReLU between them."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 1, bias=False),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 1, bias=False),
    )


class VID(Distillation):
    """Student, a regressor for each stage and the channels' variances are trained."""

    @checked
    def __init__(
        self,
        *networks: nn.Module,
        feature: Annotated[float, Field(ge=0)] = 1,
        variance: Annotated[float, Field(gt=LEAST, le=100)] = 5,
        **shared: Any,
    ) -> None:
        super().__init__(feature, *networks, **shared)
        widths = [
            (ours.shape[1], theirs.shape[1])
            for ours, theirs in pairs(probed(self.network), probed(self.teacher))
        ]
        self.regressors = nn.ModuleList(regressor(*width) for width in widths)
        start = math.log(math.expm1(variance - LEAST))  # inverse of softplus; overflows far above
        self.scales = nn.ParameterList(torch.full((width,), start) for _, width in widths)

    def feature(
        self, seen: Taps, goal: Taps, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        """Return the sum of `vid_loss` over the stages."""
        losses = []
        for pair, predict, scale in zip(
            pairs(seen, goal), self.regressors, self.scales, strict=True
        ):
            ours, theirs = aligned(*pair)
            variance = functional.softplus(scale) + LEAST
            losses.append(vid_loss(predict(ours), theirs, variance))
        return torch.stack(losses).sum()

"""VID: the student's maps are to hold as much information about the teacher's as possible.

Ahn et al., "Variational Information Distillation for Knowledge Transfer", CVPR 2019,
arXiv:1904.05835.
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import aligned, pairs, probed, taps
from kdprune.distillation.weighted import Weights, check, full_precision

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


class VID(nn.Module):
    """Student, a regressor for each stage and the channels' variances are trained."""

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        *,
        labels: object = None,
        ce: Annotated[float, Field(ge=0)] = 1,
        kd: Annotated[float, Field(ge=0)] = 1,
        feature: Annotated[float, Field(ge=0)] = 1,
        temperature: Annotated[float, Field(gt=0)] = 4,
        variance: Annotated[float, Field(gt=1e-5, le=100)] = 5,
    ) -> None:
        super().__init__()
        self.weights = Weights("vid", ce=ce, kd=kd, feature=feature, temperature=temperature)
        allowed = f"a number above {LEAST} and up to 100; 5 is usual"  # exp must not overflow
        check("vid.variance", variance, allowed, lambda number: LEAST < number <= 100)
        self.network = student
        widths = [
            (ours.shape[1], theirs.shape[1])
            for ours, theirs in pairs(probed(student), probed(teacher))
        ]
        self.regressors = nn.ModuleList(regressor(*width) for width in widths)
        start = math.log(math.expm1(variance - LEAST))  # the inverse of softplus
        self.scales = nn.ParameterList(torch.full((width,), start) for _, width in widths)
        self._teacher = [teacher.eval()]  # in a list: neither trained, nor moved, nor saved

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, "ce", "kd", "feature"}."""
        with torch.no_grad():
            goal = taps(self._teacher[0], images)
        seen = taps(self.network, images)

        def feature() -> torch.Tensor:
            losses = []
            for pair, predict, scale in zip(
                pairs(seen, goal), self.regressors, self.scales, strict=True
            ):
                ours, theirs = aligned(*pair)
                variance = functional.softplus(scale) + LEAST
                losses.append(vid_loss(predict(ours), theirs, variance))
            return torch.stack(losses).sum()

        return self.weights.total(seen.logits, goal.logits, labels, feature)

"""FitNets: a regressor on a student's hint map learns the teacher's.

Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, arXiv:1412.6550. Trained in one
stage together with the rest, as today's toolboxes do; the paper trains up to the hint first.
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import Taps, last_activation, probed
from kdprune.distillation.weighted import Distillation, full_precision
from kdprune.errors import KdpruneError
from kdprune.methods import checked


@full_precision
def fitnet_loss(regressed: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference of maps [B, C, H, W].

    A regressor keeps the student's size where the teacher's map is larger; it is averaged to it.
    """
    goal = functional.adaptive_avg_pool2d(teacher, regressed.shape[2:])
    return functional.mse_loss(regressed, goal)


def regressor(student: torch.Tensor, teacher: torch.Tensor) -> nn.Sequential:
    """Return convolution, batch norm and activation that bring the student's map to the teacher's.

    Takes sample maps [B, C, H, W] of both. Ends in ReLU where the teacher's are never negative.
    """
    inputs, outputs = student.shape[1], teacher.shape[1]
    ours, theirs = student.shape[2], teacher.shape[2]
    if ours == 2 * theirs:
        layer = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
    elif 2 * ours == theirs:
        layer = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    elif ours >= theirs:
        layer = nn.Conv2d(inputs, outputs, 1 + ours - theirs)
    else:
        layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), last_activation(teacher))


class FitNet(Distillation):
    """Student and regressor are trained; `layer` counts the stem as 0 and the first stage as 1."""

    @checked
    def __init__(
        self,
        *networks: nn.Module,
        feature: Annotated[float, Field(ge=0)] = 100,
        layer: Annotated[int, Field(ge=0)] = 1,
        **shared: Any,
    ) -> None:
        super().__init__(feature, *networks, **shared)
        ours, theirs = probed(self.network).stages, probed(self.teacher).stages
        count = min(len(ours), len(theirs))
        if layer >= count:
            raise KdpruneError(
                f"distill.fitnet.layer = {layer}: must be a layer that both networks have: 0 (the "
                f"stem) to {count - 1}"
            )
        self.layer = layer
        self.regressor = regressor(ours[layer], theirs[layer])

    def feature(
        self, seen: Taps, goal: Taps, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        """Return `fitnet_loss` at the chosen layer."""
        return fitnet_loss(self.regressor(seen.stages[self.layer]), goal.stages[self.layer])

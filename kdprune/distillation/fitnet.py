"""FitNets: a regressor on a student's hint map learns the teacher's.

Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, arXiv:1412.6550. Trained in one
stage together with the rest, as today's toolboxes do; the paper trains up to the hint first.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import last_activation, probed, taps
from kdprune.distillation.weighted import Weights, check, full_precision


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


class FitNet(nn.Module):
    """Student and regressor are trained; `layer` counts the stem as 0 and the first stage as 1."""

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        *,
        labels: object = None,
        ce: Annotated[float, Field(ge=0)] = 1,
        kd: Annotated[float, Field(ge=0)] = 1,
        feature: Annotated[float, Field(ge=0)] = 100,
        temperature: Annotated[float, Field(gt=0)] = 4,
        layer: Annotated[int, Field(ge=0)] = 1,
    ) -> None:
        super().__init__()
        self.weights = Weights("fitnet", ce=ce, kd=kd, feature=feature, temperature=temperature)
        ours, theirs = probed(student).stages, probed(teacher).stages
        count = min(len(ours), len(theirs))
        allowed = f"a layer that both networks have: 0 (the stem) to {count - 1}"
        check("fitnet.layer", layer, allowed, lambda number: number in range(count))
        self.layer = layer
        self.network = student
        self.regressor = regressor(ours[layer], theirs[layer])
        self._teacher = [teacher.eval()]  # in a list: neither trained, nor moved, nor saved

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, "ce", "kd", "feature"}."""
        with torch.no_grad():
            goal = taps(self._teacher[0], images)
        seen = taps(self.network, images)

        def feature() -> torch.Tensor:
            return fitnet_loss(self.regressor(seen.stages[self.layer]), goal.stages[self.layer])

        return self.weights.total(seen.logits, goal.logits, labels, feature)

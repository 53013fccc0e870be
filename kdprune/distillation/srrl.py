"""SRRL: the student's features are to be the teacher's, and to mean the same to its classifier.

Yang, Martinez, Bulat and Tzimiropoulos, "Knowledge Distillation via Softmax Regression
Representation Learning", ICLR 2021 (openreview ZzwDy_wiWv). The variant of the SimKD toolbox: the
connector acts on pooled features and Hinton's term is added. The authors' own code connects the
maps before pooling and has no such term.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import last_activation, probed, taps
from kdprune.distillation.weighted import Weights, full_precision


@full_precision
def srrl_loss(
    connected: torch.Tensor, pooled: torch.Tensor, regressed: torch.Tensor, logits: torch.Tensor
) -> torch.Tensor:
    """Return the mean squared differences of features [B, d] plus those of logits [B, classes].

    `connected` are the student's features in the teacher's space, `regressed` the logits that the
    teacher's classifier makes of them; `pooled` and `logits` are the teacher's own.
    """
    return functional.mse_loss(connected, pooled) + functional.mse_loss(regressed, logits)


class SRRL(nn.Module):
    """Student and connector are trained; the teacher's classifier is used as it is."""

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
    ) -> None:
        super().__init__()
        self.weights = Weights("srrl", ce=ce, kd=kd, feature=feature, temperature=temperature)
        ours = probed(student, stages=False).pooled
        theirs = probed(teacher, stages=False).pooled
        self.network = student
        self.connector = nn.Sequential(
            nn.Linear(ours.shape[1], theirs.shape[1], bias=False),
            nn.BatchNorm1d(theirs.shape[1]),
            last_activation(theirs),
        )
        self._teacher = [teacher.eval()]  # in a list: neither trained, nor moved, nor saved

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, "ce", "kd", "feature"}."""
        teacher = self._teacher[0]
        with torch.no_grad():
            goal = taps(teacher, images, stages=False)
        seen = taps(self.network, images, stages=False)

        def feature() -> torch.Tensor:
            connected = self.connector(seen.pooled)
            judge = teacher.get_classifier()  # detached: the gradient passes it, and stays out
            regressed = functional.linear(connected, judge.weight.detach(), judge.bias.detach())
            return srrl_loss(connected, goal.pooled, regressed, goal.logits)

        return self.weights.total(seen.logits, goal.logits, labels, feature)

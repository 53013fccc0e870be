"""SRRL: the student's features are to be the teacher's, and to mean the same to its classifier.

Yang, Martinez, Bulat and Tzimiropoulos, "Knowledge Distillation via Softmax Regression
Representation Learning", ICLR 2021 (openreview ZzwDy_wiWv). The variant of the SimKD toolbox: the
connector acts on pooled features and Hinton's term is added. The authors' own code connects the
maps before pooling and has no such term.
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import Taps, last_activation, probed
from kdprune.distillation.weighted import Distillation, full_precision
from kdprune.methods import checked


@full_precision
def srrl_loss(
    connected: torch.Tensor, pooled: torch.Tensor, regressed: torch.Tensor, logits: torch.Tensor
) -> torch.Tensor:
    """Return the mean squared differences of features [B, d] plus those of logits [B, classes].

    `connected` are the student's features in the teacher's space, `regressed` the logits that the
    teacher's classifier makes of them; `pooled` and `logits` are the teacher's own.
    """
    return functional.mse_loss(connected, pooled) + functional.mse_loss(regressed, logits)


class SRRL(Distillation):
    """Student and connector are trained; the teacher's classifier is used as it is."""

    stages = False

    @checked
    def __init__(
        self,
        *networks: nn.Module,
        feature: Annotated[float, Field(ge=0)] = 1,
        **shared: Any,
    ) -> None:
        super().__init__(feature, *networks, **shared)
        ours = probed(self.network, stages=False).pooled
        theirs = probed(self.teacher, stages=False).pooled
        self.connector = nn.Sequential(
            nn.Linear(ours.shape[1], theirs.shape[1], bias=False),
            nn.BatchNorm1d(theirs.shape[1]),
            last_activation(theirs),
        )

    def feature(
        self, seen: Taps, goal: Taps, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        """Return `srrl_loss` of the connected features and what the teacher makes of them."""
        connected = self.connector(seen.pooled)
        judge = self.teacher.get_classifier()  # detached: the gradient passes it, and stays out
        regressed = functional.linear(connected, judge.weight.detach(), judge.bias.detach())
        return srrl_loss(connected, goal.pooled, regressed, goal.logits)

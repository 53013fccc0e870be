"""FN: features are normalised before the classifiers whose outputs are compared.

Xu, Rui, Li and Gu, "Feature Normalized Knowledge Distillation for Image Classification", ECCV
2020, as in the authors' code: cross-entropy rather than a divergence, without T².
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import Taps
from kdprune.distillation.weighted import Distillation, full_precision
from kdprune.methods import checked


@full_precision
def normalised(features: torch.Tensor, *, cap: float) -> torch.Tensor:
    """Shorten features [B, d] that are longer than `cap` to it: a temperature for each image."""
    lengths = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features * (cap / lengths.clamp_min(1e-12)).clamp(max=1)


@full_precision
def fn_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of logits [B, classes] with the teacher's softmax, mean over B."""
    return functional.cross_entropy(student, teacher.softmax(1))


class FN(Distillation):
    """ce · cross-entropy + feature · L, without a kd term; nothing is trained but the student.

    The student's classifier makes both of its logits: those of its features for the labels, and
    those of the normalised ones for the teacher. Biases are not scaled.
    """

    stages = False

    @checked
    def __init__(
        self,
        *networks: nn.Module,
        labels: object = None,
        ce: Annotated[float, Field(ge=0)] = 1,
        feature: Annotated[float, Field(ge=0)] = 9,
        cap: Annotated[float, Field(gt=0)] = 2,
    ) -> None:
        super().__init__(feature, *networks, ce=ce, kd=0)
        self.cap = cap

    def feature(
        self, seen: Taps, goal: Taps, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        """Return `fn_loss` of the logits that both classifiers make of normalised features."""
        with torch.no_grad():
            wanted = self.teacher.get_classifier()(normalised(goal.pooled, cap=self.cap))
        classify = self.network.get_classifier()
        return fn_loss(classify(normalised(seen.pooled, cap=self.cap)), wanted)

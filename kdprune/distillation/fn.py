"""FN: features are normalised before the classifiers whose outputs are compared.

Xu, Rui, Li and Gu, "Feature Normalized Knowledge Distillation for Image Classification", ECCV
2020, as in the authors' code: cross-entropy rather than a divergence, without T².
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import taps
from kdprune.distillation.weighted import Weights, check, cross_entropy, full_precision


@full_precision
def normalised(features: torch.Tensor, *, cap: float) -> torch.Tensor:
    """Shorten features [B, d] that are longer than `cap` to it: a temperature for each image."""
    lengths = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features * (cap / lengths.clamp_min(1e-12)).clamp(max=1)


@full_precision
def fn_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of logits [B, classes] with the teacher's softmax, mean over B."""
    return functional.cross_entropy(student, teacher.softmax(1))


class FN(nn.Module):
    """ce · cross-entropy + feature · L; nothing is trained but the student.

    The student's classifier makes both of its logits: those of its features for the labels, and
    those of the normalised ones for the teacher. Biases are not scaled.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        *,
        labels: object = None,
        ce: Annotated[float, Field(ge=0)] = 1,
        feature: Annotated[float, Field(ge=0)] = 9,
        cap: Annotated[float, Field(gt=0)] = 2,
    ) -> None:
        super().__init__()
        Weights("fn", ce=ce, kd=0, feature=feature)  # for its checks: there is no kd term
        check("fn.cap", cap, "a number above 0; 2 is the authors'", lambda number: number > 0)
        self.ce, self.feature, self.cap = ce, feature, cap
        self.network = student
        self._teacher = [teacher.eval()]  # in a list: neither trained, nor moved, nor saved

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, "ce", "feature"}; no part of weight 0."""
        parts = {}
        seen = taps(self.network, images, stages=False)
        if self.ce:
            parts["ce"] = cross_entropy(seen.logits, labels)
        if self.feature:
            with torch.no_grad():
                goal = self._normalised_logits(self._teacher[0], images)
            classify = self.network.get_classifier()
            parts["feature"] = fn_loss(classify(normalised(seen.pooled, cap=self.cap)), goal)
        return {"loss": sum(getattr(self, name) * part for name, part in parts.items()), **parts}

    def _normalised_logits(self, teacher: nn.Module, images: torch.Tensor) -> torch.Tensor:
        pooled = teacher.forward_head(teacher.forward_features(images), pre_logits=True)
        return teacher.get_classifier()(normalised(pooled, cap=self.cap))

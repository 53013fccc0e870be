"""SimKD: the student learns the teacher's last feature maps and takes over its classifier.

Chen et al., "Knowledge Distillation with the Reused Teacher Classifier", CVPR 2022,
arXiv:2203.14001.
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.weighted import Distillation, full_precision
from kdprune.methods import checked
from kdprune.models.building import side_of
from kdprune.models.composite import Projector, ReusedClassifier, describe, frozen


@full_precision
def simkd_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference of projected maps [B, C, h, w] and the teacher's.

    Where sizes differ, the larger map is averaged down to the smaller, as the authors do; a larger
    student's was averaged before the projector (`ReusedClassifier.size`).
    """
    size = min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3])
    student = functional.adaptive_avg_pool2d(student, size)
    teacher = functional.adaptive_avg_pool2d(teacher, size)
    return functional.mse_loss(student, teacher)


class SimKD(Distillation):
    """Encoder and projector are trained; the teacher's classifier is copied and stays as it is."""

    @checked
    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        *,
        factor: Annotated[float, Field(ge=0.1, le=1000)] = 2,
        ce: Annotated[float, Field(ge=0)] = 0,
        kd: Annotated[float, Field(ge=0)] = 0,
        feature: Annotated[float, Field(ge=0)] = 1,
        **shared: Any,
    ) -> None:
        side = side_of(teacher)
        probe = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
        probe = probe.to(next(teacher.parameters()).device)
        described = dict(describe(teacher, student, factor, probe))
        size, fits = described.get("size"), {k: v for k, v in described.items() if k != "size"}
        width = student.get_classifier().in_features  # num_features is that before pruning
        projector = Projector(width, **fits)
        classifier = frozen(teacher.get_classifier())
        composite = ReusedClassifier(student, projector, classifier, size)
        super().__init__(feature, composite, teacher, ce=ce, kd=kd, **shared)
        self.projector = described

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, …}. Labels are used where `ce` is."""
        weights = self.weights
        with torch.no_grad():
            goal = self.teacher.forward_features(images)
            soft = self.teacher.forward_head(goal) if weights.kd else None
        maps = self.network.forward_features(images)
        logits = self.network.forward_head(maps) if weights.kd or weights.ce else None
        return weights.total(logits, soft, labels, lambda: simkd_loss(maps, goal))

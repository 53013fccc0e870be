"""SemCKD: each stage of the student learns from the teacher's stages that resemble it most.

Chen et al., "Cross-Layer Distillation with Semantic Calibration", AAAI 2021, arXiv:2012.03236.
Unlike the authors' code, projectors are at most `width_cap` channels wide: for wide teachers they
would have hundreds of millions of parameters.
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import FIRST, Taps, aligned, probed
from kdprune.distillation.weighted import Distillation, full_precision
from kdprune.errors import KdpruneError
from kdprune.methods import checked


@full_precision
def gram(maps: torch.Tensor) -> torch.Tensor:
    """Return [B, B]: products of all pairs of maps [B, C, H, W]."""
    flat = maps.flatten(1)
    return flat @ flat.T


@full_precision
def attention(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """Return [B, n, m]: for each image, how much student stage i heeds teacher stage j.

    `queries` [B, n, d] and `keys` [B, m, d] are brought to length one; rows sum to one.
    """
    queries, keys = functional.normalize(queries, dim=2), functional.normalize(keys, dim=2)
    return (queries @ keys.transpose(1, 2)).softmax(2)


@full_precision
def difference(projected: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Return [B]: each image's mean squared difference of maps [B, C, H, W]."""
    return (projected - teacher).square().flatten(1).mean(1)


@full_precision
def semckd_loss(differences: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted differences [B, n, m], summed over m, the mean over B and n."""
    return (weights * differences).sum(2).mean()


def projector(inputs: int, outputs: int, width_cap: int | None) -> nn.Sequential:
    """Return 1x1, 3x3 and 1x1 convolutions, the middle twice as wide as the output, or capped."""
    middle = int(min(2 * outputs, width_cap or 2 * outputs))
    return nn.Sequential(
        nn.Conv2d(inputs, middle, 1, bias=False),
        nn.BatchNorm2d(middle),
        nn.ReLU(),
        nn.Conv2d(middle, middle, 3, padding=1, bias=False),
        nn.BatchNorm2d(middle),
        nn.ReLU(),
        nn.Conv2d(middle, outputs, 1, bias=False),
    )


def embedding(batch_size: int) -> nn.Sequential:
    """Return what turns a row of `gram` [B] into a query or a key [B // 4], or [1]."""
    width = max(1, batch_size // 4)
    layers = nn.Linear(batch_size, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
    return nn.Sequential(*layers)


class SemCKD(Distillation):
    """Student, projectors for all pairs of stages, queries and keys are trained.

    An image is described by its products with the others, so every batch must hold `batch_size`
    images, or all N of `labels` [N] where they are fewer.
    """

    @checked
    def __init__(
        self,
        *networks: nn.Module,
        labels: torch.Tensor | None = None,
        feature: Annotated[float, Field(ge=0)] = 400,
        width_cap: Annotated[int, Field(ge=1, lt=10**6)] | None = 512,
        batch_size: Annotated[int, Field(ge=2, lt=10**6)] = 64,
        **shared: Any,
    ) -> None:
        super().__init__(feature, *networks, **shared)
        size = batch_size if labels is None else min(batch_size, len(labels))
        self.batch_size = size
        ours = [maps.shape[1] for maps in probed(self.network).stages[FIRST:]]
        theirs = [maps.shape[1] for maps in probed(self.teacher).stages[FIRST:]]
        self.queries = nn.ModuleList(embedding(size) for _ in ours)
        self.keys = nn.ModuleList(embedding(size) for _ in theirs)
        self.projectors = nn.ModuleList(
            nn.ModuleList(projector(inputs, outputs, width_cap) for outputs in theirs)
            for inputs in ours
        )

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, "ce", "kd", "feature"}.

        Raises KdpruneError for a batch of another size than that of construction.
        """
        if len(images) != self.batch_size:
            raise KdpruneError(
                f"distill.semckd.batch_size = {self.batch_size}: a batch holds {len(images)} "
                "images; set it to the batch size of the training"
            )
        return super().forward(images, labels, indices)

    def feature(
        self, seen: Taps, goal: Taps, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        """Return `semckd_loss` over all pairs of stages."""
        ours, theirs = seen.stages[FIRST:], goal.stages[FIRST:]
        differences = [
            self._differences(maps, theirs, row)
            for maps, row in zip(ours, self.projectors, strict=True)
        ]
        heed = attention(_embedded(self.queries, ours), _embedded(self.keys, theirs))
        return semckd_loss(torch.stack(differences, 1), heed)

    def _differences(
        self, maps: torch.Tensor, theirs: list[torch.Tensor], projectors: nn.ModuleList
    ) -> torch.Tensor:
        """Return [B, m]: one stage of the student, projected, against each of the teacher's."""
        columns = []
        for target, project in zip(theirs, projectors, strict=True):
            source, target = aligned(maps, target)
            columns.append(difference(project(source), target))
        return torch.stack(columns, 1)


def _embedded(embeddings: nn.ModuleList, stages: list[torch.Tensor]) -> torch.Tensor:
    embedded = [embed(gram(maps)) for embed, maps in zip(embeddings, stages, strict=True)]
    return torch.stack(embedded, 1)

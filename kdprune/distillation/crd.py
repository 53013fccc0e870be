"""CRD: what two networks see in one image agrees more than what they see in two images.

Tian, Krishnan and Isola, "Contrastive Representation Distillation", ICLR 2020, arXiv:1910.10699.
Negatives are of other classes, drawn evenly and with replacement on the device of the memories.
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import Taps, probed
from kdprune.distillation.weighted import Distillation, full_precision
from kdprune.errors import KdpruneError
from kdprune.methods import checked

DIM, TEMPERATURE, MOMENTUM = 128, 0.07, 0.5  # of embeddings, contrasts and memories: the authors'
EPSILON = 1e-7


@full_precision
def contrast(
    views: torch.Tensor,
    memory: torch.Tensor,
    rows: torch.Tensor,
    *,
    temperature: float = TEMPERATURE,
) -> torch.Tensor:
    """Return [B, 1 + K]: exp(view · memory row / temperature), for the chosen rows [B, 1 + K].

    `views` [B, d], `memory` [N, d]. All N products and a choice of them take far less memory than
    B (1 + K) rows of d numbers.
    """
    return ((views @ memory.T).gather(1, rows) / temperature).exp()


@full_precision
def crd_loss(ratios: torch.Tensor, *, noise: float) -> torch.Tensor:
    """Return the noise-contrastive loss of ratios [B, 1 + K], the positive first, mean over B.

    `noise` is K / N, the density of the negatives.
    """
    positive, negatives = ratios[:, 0], ratios[:, 1:]
    kept = (positive / (positive + noise + EPSILON)).log()
    refused = (noise / (negatives + noise + EPSILON)).log().sum(1)
    return -(kept + refused).mean()


class CRD(Distillation):
    """Student and two embeddings are trained; `labels` [N] are those of all training images.

    Keeps for each network a memory of N embedded views, and the constant that normalises its
    contrasts, which the first batch sets.
    """

    stages = False

    @checked
    def __init__(
        self,
        *networks: nn.Module,
        labels: torch.Tensor | None = None,
        feature: Annotated[float, Field(ge=0)] = 0.8,
        negatives: Annotated[int, Field(ge=1, lt=10**7)] = 16384,
        **shared: Any,
    ) -> None:
        super().__init__(feature, *networks, **shared)
        if labels is None or int(labels.min()) == int(labels.max()):
            raise KdpruneError(
                "distill.method: crd draws negatives from other classes, and needs labels of two "
                "classes or more; use another method"
            )
        self.negatives = negatives
        self.student_embedding = nn.Linear(probed(self.network, stages=False).pooled.shape[1], DIM)
        self.teacher_embedding = nn.Linear(probed(self.teacher, stages=False).pooled.shape[1], DIM)
        bound = (3 / DIM) ** 0.5
        for name in ("student", "teacher"):
            memory = torch.empty(len(labels), DIM).uniform_(-bound, bound)
            self.register_buffer(f"{name}_memory", memory)
            self.register_buffer(f"{name}_constant", torch.zeros(()))  # 0: not set yet
        # All images by class, and where in that list a class begins: they follow from the labels
        count = torch.bincount(labels)
        self.register_buffer("by_class", torch.argsort(labels, stable=True), persistent=False)
        self.register_buffer("count", count, persistent=False)
        self.register_buffer("first", count.cumsum(0) - count, persistent=False)

    def draw(self, labels: torch.Tensor) -> torch.Tensor:
        """Return [B, K]: places of training images whose classes differ from `labels` [B]."""
        first, count = self.first[labels, None], self.count[labels, None]
        shape = len(labels), self.negatives
        drawn = torch.randint(2**62, shape, device=labels.device) % (len(self.by_class) - count)
        return self.by_class[drawn + count * (drawn >= first)]  # the class itself is stepped over

    def contrasted(self, views: torch.Tensor, memory: str, rows: torch.Tensor) -> torch.Tensor:
        """Return the loss of one network's views [B, d] against the memory of the other."""
        held = getattr(self, f"{memory}_memory").clone()  # it changes before the backward pass
        constant = getattr(self, f"{memory}_constant")
        ratios = contrast(views, held, rows)
        with torch.no_grad():
            estimate = ratios.mean() * len(held)
            constant.copy_(torch.where(constant > 0, constant, estimate))
        return crd_loss(ratios / constant.clone(), noise=self.negatives / len(held))

    def feature(
        self, seen: Taps, goal: Taps, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        """Return both networks' contrasts with the memory of the other, and update the memories."""
        ours = _directions(self.student_embedding(seen.pooled))
        theirs = _directions(self.teacher_embedding(goal.pooled))
        rows = torch.cat([indices[:, None], self.draw(labels)], 1)
        loss = self.contrasted(ours, "teacher", rows) + self.contrasted(theirs, "student", rows)
        self._update(self.student_memory, ours, indices)
        self._update(self.teacher_memory, theirs, indices)
        return loss

    @torch.no_grad()
    def _update(self, memory: torch.Tensor, views: torch.Tensor, indices: torch.Tensor) -> None:
        moved = MOMENTUM * memory[indices] + (1 - MOMENTUM) * views
        memory.index_copy_(0, indices, _directions(moved))


@full_precision
def _directions(vectors: torch.Tensor) -> torch.Tensor:
    return functional.normalize(vectors, dim=1)

"""What the methods share: teacher and student, three weighted terms, Hinton's loss, full precision.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", NIPS 2014 Deep Learning
Workshop, arXiv:1503.02531.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from kdprune.distillation.taps import Taps, taps
from kdprune.distillation.task import Task
from kdprune.errors import KdpruneError
from kdprune.methods import checked, key

Loss = Callable[..., torch.Tensor]


def full_precision(loss: Loss) -> Loss:
    """Make `loss` compute in float32 at least, under autocast too; its arguments are tensors.

    Means over many small squares, and the exponentials of contrasts, do not survive bfloat16.
    """

    @functools.wraps(loss)
    def precise(*tensors: torch.Tensor, **settings: float) -> torch.Tensor:
        with torch.autocast(tensors[0].device.type, enabled=False):
            return loss(*(_raised(tensor) for tensor in tensors), **settings)

    return precise


def _raised(tensor: torch.Tensor) -> torch.Tensor:
    half = tensor.dtype in (torch.bfloat16, torch.float16)
    return tensor.float() if half else tensor


cross_entropy = full_precision(functional.cross_entropy)


@full_precision
def kd_loss(student: torch.Tensor, teacher: torch.Tensor, *, temperature: float) -> torch.Tensor:
    """Return T² KL(teacher ‖ student) of logits [B, classes] softened by T, the mean over B.

    T² keeps the size of its gradients as T changes.
    """
    goal = functional.log_softmax(teacher / temperature, 1)
    ours = functional.log_softmax(student / temperature, 1)
    divergence = functional.kl_div(ours, goal, reduction="batchmean", log_target=True)
    return divergence * temperature**2


@dataclass(frozen=True)
class Weights:
    """The total loss: ce · cross-entropy + kd · KD + feature · the method's own."""

    ce: float
    kd: float
    feature: float
    temperature: float

    def total(
        self,
        student: torch.Tensor,
        teacher: torch.Tensor,
        labels: torch.Tensor,
        feature: Callable[[], torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """Return "loss" and its unweighted parts "ce", "kd", "feature" for logits [B, classes].

        `feature` is called for its part. A term of weight 0 is not computed, and is no part.
        """
        parts = {}
        if self.ce:
            parts["ce"] = cross_entropy(student, labels)
        if self.kd:
            parts["kd"] = kd_loss(student, teacher, temperature=self.temperature)
        if self.feature:
            parts["feature"] = feature()
        return {"loss": sum(getattr(self, name) * part for name, part in parts.items()), **parts}


class Distillation(Task):
    """A task with a teacher: a method adds what it trains in `__init__`, and its own `feature`.

    Hyperparameters of all methods stand in the signature here, those of one in its own. It passes
    on what is not its own: `*networks`, which are student and teacher, and `**shared`.
    """

    stages = True  # whether `feature` looks at the stages' maps

    @checked
    def __init__(
        self,
        feature: float,
        student: nn.Module,
        teacher: nn.Module,
        /,
        *,
        labels: object = None,
        ce: Annotated[float, Field(ge=0)] = 1,
        kd: Annotated[float, Field(ge=0)] = 1,
        temperature: Annotated[float, Field(gt=0)] = 4,
    ) -> None:
        """`feature` is the weight of the method's own term, `labels` [N] are the training images'.

        Raises KdpruneError where all weights are 0.
        """
        super().__init__()
        self.weights = Weights(ce, kd, feature, temperature)
        if not (ce or kd or feature):
            raise KdpruneError(f"{key(type(self))}: all weights are 0; give one of them more")
        self.network = student
        self._teacher = [teacher.eval()]  # in a list: neither trained, nor moved, nor saved

    @property
    def teacher(self) -> nn.Module:
        """The network that is learned from, in evaluation mode."""
        return self._teacher[0]

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, "ce", "kd", "feature"}; none of weight 0."""
        with torch.no_grad():
            goal = taps(self.teacher, images, stages=self.stages)
        seen = taps(self.network, images, stages=self.stages)
        return self.weights.total(
            seen.logits, goal.logits, labels, lambda: self.feature(seen, goal, labels, indices)
        )

    def feature(
        self, seen: Taps, goal: Taps, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        """Return the method's own term, a scalar, of what student and teacher make of B images."""
        raise NotImplementedError

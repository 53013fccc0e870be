"""What the methods share: Hinton's loss, the weighted sum of three terms, full precision.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", NIPS 2014 Deep Learning
Workshop, arXiv:1503.02531.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from kdprune.errors import KdpruneError

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


def check(key: str, value: object, allowed: str, fits: Callable[[float], bool]) -> None:
    """Check the hyperparameter distill.`key`, a number (not one word or a truth value).

    Raises KdpruneError, which says what is `allowed`, where `value` is none or does not fit.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not fits(value):
        raise KdpruneError(f"distill.{key} = {value!r}: must be {allowed}")


@dataclass(frozen=True)
class Weights:
    """The total loss of most methods: ce · cross-entropy + kd · KD + feature · the method's own.

    `method` is named in faults. Raises KdpruneError for weights below 0, for all being 0, and for a
    temperature that is not positive.
    """

    method: str
    ce: float
    kd: float
    feature: float
    temperature: float = 4

    def __post_init__(self) -> None:
        terms = {"ce": self.ce, "kd": self.kd, "feature": self.feature}
        for key, value in terms.items():
            allowed = "0 (which leaves the term out) or a number above"
            check(f"{self.method}.{key}", value, allowed, lambda number: number >= 0)
        if not any(terms.values()):
            raise KdpruneError(f"distill.{self.method}: all weights are 0; give one of them more")
        key, allowed = f"{self.method}.temperature", "a number above 0; 4 is usual"
        check(key, self.temperature, allowed, lambda number: number > 0)

    def total(
        self,
        student: torch.Tensor,
        teacher: torch.Tensor,
        labels: torch.Tensor,
        feature: Callable[[], torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return "loss" and its unweighted parts "ce", "kd", "feature" for logits [B, classes].

        `feature` is called for its part. A term of weight 0 is not computed, and is no part.
        """
        parts = {}
        if self.ce:
            parts["ce"] = cross_entropy(student, labels)
        if self.kd:
            parts["kd"] = kd_loss(student, teacher, temperature=self.temperature)
        if feature and self.feature:
            parts["feature"] = feature()
        return {"loss": sum(getattr(self, name) * part for name, part in parts.items()), **parts}

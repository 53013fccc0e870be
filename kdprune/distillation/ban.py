"""BAN: a network born again, trained on what an equal one before it answers.

Furlanello et al., "Born-Again Neural Networks", ICML 2018, arXiv:1805.04770. The abstract was read;
the losses are reconstructed from what is commonly said of them. The student is the teacher's
architecture with fresh weights: pairs teacher/teacher. One generation; the paper chains several and
averages them.
"""

from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from kdprune.distillation.task import Task
from kdprune.distillation.weighted import cross_entropy, full_precision
from kdprune.methods import checked


@full_precision
def ban_loss(student: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of logits [B, classes] with `shares` of the same shape, mean over B.

    Its gradient is that of KD at temperature 1 (`weighted.kd_loss`), with the teacher's softmax.
    """
    return functional.cross_entropy(student, shares)


@full_precision
def cwtm_loss(student: torch.Tensor, shares: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the labels' cross-entropy, weighted by the teacher's confidence: CWTM.

    The weights are the largest of each image's `shares` [B, classes], over their sum in the batch,
    so that of the teacher's answers nothing else is left.
    """
    confidence = shares.amax(1)
    losses = functional.cross_entropy(student, labels, reduction="none")
    return (confidence / confidence.sum() * losses).sum()


def permuted(shares: torch.Tensor) -> torch.Tensor:
    """Return `shares` [B, classes] with all but each row's largest permuted at random: DKPP.

    How sure the teacher is stays, and what it holds for similar goes. Draws from the global
    generator of the device.
    """
    top = torch.zeros_like(shares).scatter_(1, shares.argmax(1, keepdim=True), 2.0)
    places = top.argsort(dim=1, stable=True)[:, :-1]  # the others, in order
    chosen = (top + torch.rand_like(shares)).argsort(1)[:, :-1]  # the same, at random
    return shares.scatter(1, places, shares.gather(1, chosen))


class BAN(Task):
    """The teacher's softmax in place of the labels, or one of the two controls of its paper."""

    @checked
    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        /,
        *,
        labels: object = None,
        variant: Literal["ban", "cwtm", "dkpp"] = "ban",
        label: bool = False,
    ) -> None:
        """`label` adds the labels' cross-entropy; `labels` [N] are the training images'."""
        super().__init__()
        self.variant, self.label = variant, label
        self.network = student
        self._teacher = [teacher.eval()]  # in a list: neither trained, nor moved, nor saved

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, "ban"}, and "ce" with `label`."""
        with torch.no_grad():
            shares = self._teacher[0](images).float().softmax(1)
        logits = self.network(images)
        if self.variant == "cwtm":
            own = cwtm_loss(logits, shares, labels)
        else:
            own = ban_loss(logits, permuted(shares) if self.variant == "dkpp" else shares)
        if not self.label:
            return {"loss": own, "ban": own}
        ce = cross_entropy(logits, labels)
        return {"loss": own + ce, "ban": own, "ce": ce}

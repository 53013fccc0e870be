"""KD: the student learns the teacher's softened logits beside the labels.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", NIPS 2014 Deep Learning
Workshop, arXiv:1503.02531. Its loss is `kdprune.distillation.weighted.kd_loss`, for the other
methods add it to their own.
"""

from typing import Any

from torch import nn

from kdprune.distillation.weighted import Distillation


class KD(Distillation):
    """Cross-entropy and softened logits; nothing is trained but the student."""

    stages = False

    def __init__(self, *networks: nn.Module, **shared: Any) -> None:
        super().__init__(0, *networks, **shared)

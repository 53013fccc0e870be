"""What a task is: a network, how it is trained, and what the users of a task may read of it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class Task(nn.Module):
    """Owns a network and whatever is trained beside it; users read what is declared here."""

    network: nn.Module  # what is evaluated and deployed
    capturable: bool = True  # whether a GPU may record one step and replay it for every batch
    projector: Mapping[str, Any] | None = None  # of a composite network: what rebuilds it from file
    batch_size: int | None = None  # the one size of batch that it takes; None: any

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, …}: the loss, and its parts without weights.

        `indices` are the images' places among the training images.
        """
        raise NotImplementedError

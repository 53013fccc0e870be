"""What a pruning method yields for one level."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from kdprune.models import counts

Masks = dict[str, torch.Tensor]  # parameter name -> True where a weight is kept


@dataclass
class Pruned:
    """A pruned network and what was removed.

    level: the share of convolution and linear weights asked for (for masked channels: of those
    that can be masked); ratio: the share of each layer's
    weights (weight) or of each group's channels (channel) taken for it; sparsity: the share that
    was in fact removed. `params` counts the elements that are stored, `nonzero_params` those that
    no mask has zeroed. `layers` has a row per layer: layer, kind, params (before), nonzero_params.
    `kept`: where channels went, (layer, "out" or "in") -> bool array, True per index that stayed.
    `note`: what a method that trains on its way tells of the level.
    """

    level: float
    ratio: float
    sparsity: float
    model: nn.Module
    masks: Masks = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    note: str = ""

    @property
    def params(self) -> int:
        """Elements of all parameters as stored."""
        return counts.parameters(self.model)

    @property
    def nonzero_params(self) -> int:
        """Stored elements less those that are masked."""
        return self.params - sum(int((~mask).sum()) for mask in self.masks.values())

    def reached_params(self) -> dict[str, int]:
        """Return, by layer, how many weights are left that some pixel of an image reaches.

        A convolution's others only ever meet zero padding: whether they are zero or not changes
        no output. Of a layer that no image runs, all that are left count.
        """
        taps, left = counts.taps(self.model), {}
        for name, layer in counts.prunable(self.model).items():
            kept = self.masks.get(
                f"{name}.weight", torch.ones(layer.weight.shape, dtype=torch.bool)
            )
            if name in taps:
                kept = kept & taps[name].to(kept.device)
            left[name] = int(kept.sum())
        return left


@torch.no_grad()
def apply(model: nn.Module, masks: Masks) -> None:
    """Set masked parameters to zero, and keep them there whatever an optimiser does.

    The gradients are masked by a hook. A weight that is zero and has no gradient keeps a zero
    momentum and a zero decay under SGD, so it stays zero exactly.
    """
    for name, mask in masks.items():
        parameter = model.get_parameter(name)
        parameter.mul_(mask)
        if parameter.requires_grad:
            parameter.register_hook(lambda gradient, keep=mask: gradient * keep)

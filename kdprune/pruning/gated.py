"""A network in training whose inner channels can be closed: zeros to the layer that reads them."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from kdprune.pruning import internal
from kdprune.pruning.internal import Inner
from kdprune.pruning.trained import OnLabels


class Gated(OnLabels):
    """A copy of a network with a gate for each channel inside a block.

    `alive` has bool [channels] by group, on the CPU; `target` is the share of the weights that is
    to go. All that STORED names is kept with the weights, so that a killed training goes on.
    """

    capturable = False
    cost = 4 / 3  # a second path through the readers, or the unmasked network's forward pass
    STORED: tuple[str, ...] = ("alive",)

    def __init__(self, model: nn.Module, inner: Sequence[Inner]) -> None:
        super().__init__(copy.deepcopy(model).requires_grad_(True))
        self.inner, self.target, self._gone = inner, 1.0, 0.0
        self.alive = [torch.ones(one.group.size, dtype=torch.bool) for one in inner]
        for number, one in enumerate(inner):
            reader = self.network.get_submodule(one.reader)
            reader.register_forward_pre_hook(self._passes(number))

    def gate(self, number: int) -> torch.Tensor | None:
        """Return a group's factors [channels]; None where all are 1."""
        return None if self.alive[number].all() else self.alive[number]

    def reached(self) -> bool:
        """Whether the target's share of weights is gone."""
        return self._gone >= self.target

    def remove(self, number: int, going: torch.Tensor) -> None:
        """Close a group's channels for good, as bool [channels]."""
        self.alive[number] = self.alive[number] & ~going
        self._gone = internal.gone(self.network, self.inner, self.alive)

    def force(self, scores: Sequence[torch.Tensor], most: float = float("inf")) -> int:
        """Remove channels by their scores, the lowest of all groups first, until the target.

        One of each group stays, and what scores above `most`. Returns how many went.
        """
        left = sorted(
            (float(score), number, channel)
            for number, row in enumerate(scores)
            for channel, score in enumerate(row)
            if self.alive[number][channel]
        )
        count = 0
        for score, number, channel in left:
            if self.reached() or score > most:
                break
            if self.alive[number].sum() > 1:
                self.remove(number, torch.arange(len(self.alive[number])) == channel)
                count += 1
        return count

    def through(self, number: int, factors: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Return a reader's inputs [B, C, H, W] times the factors [channels] of its group."""
        return maps * factors.to(maps)[self.inner[number].places.to(maps.device)].view(1, -1, 1, 1)

    def get_extra_state(self) -> dict[str, Any]:
        """Return all but the network that later steps depend on."""
        return {name: getattr(self, name) for name in self.STORED}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `get_extra_state` returned."""
        for name in self.STORED:
            setattr(self, name, state[name])
        self._gone = internal.gone(self.network, self.inner, self.alive)

    def _passes(self, number: int) -> Any:
        def hook(reader: nn.Module, inputs: tuple[torch.Tensor]) -> Any:
            factors = self.gate(number)
            return None if factors is None else self.through(number, factors, *inputs)

        return hook

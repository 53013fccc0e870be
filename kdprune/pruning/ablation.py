"""What aofp trains: a network on whose readers a second path without some channels is tried."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from kdprune.pruning.gated import Gated
from kdprune.pruning.internal import Inner


class Ablated(Gated):
    """A network whose inner channels are tried, and go, in the course of its steps.

    Moves end once the target is reached.
    """

    STORED = ("alive", "space", "thetas", "vain", "steps", "sums", "tried", "means")

    def __init__(
        self, model: nn.Module, inner: Sequence[Inner], relus: set[str], *, theta: float, half: int
    ) -> None:
        super().__init__(model, inner)
        self.relus, self.half = relus, half
        sizes = [one.group.size for one in inner]
        self.space = [mask.clone() for mask in self.alive]
        self.thetas, self.vain = [theta] * len(sizes), [0] * len(sizes)
        self.steps = [-(n * (half // len(sizes))) for n in range(len(sizes))]  # layers take turns
        self.sums = [torch.zeros(size, dtype=torch.float64) for size in sizes]
        self.tried = [torch.zeros(size, dtype=torch.float64) for size in sizes]
        self.means = [torch.full((size,), float("inf"), dtype=torch.float64) for size in sizes]
        self._drawn: dict[int, torch.Tensor] = {}  # which candidates are zeroed in this step
        self._charged: dict[int, torch.Tensor] = {}
        for number, one in enumerate(inner):
            self.network.get_submodule(one.reader).register_forward_hook(self._charges(number))

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar}: cross-entropy of the network as it is."""
        # a layer of one channel has nothing to try
        open_ones = [n for n, alive in enumerate(self.alive) if alive.sum() > 1]
        open_ones = [] if self.reached() else open_ones
        for number in open_ones:
            if self.steps[number] >= self.half and not self.reached():
                self._decide(number)
        self._drawn = {n: self._draw(n) for n in open_ones if self.steps[n] >= 0}
        self._charged = {}
        loss = super().forward(images, labels, indices)["loss"]
        for number in open_ones:
            self.steps[number] += 1
            if number in self._charged:
                half = self._drawn[number]
                self.sums[number][half] += self._charged[number].double().cpu()
                self.tried[number] += half
        self._drawn = {}
        return {"loss": loss}

    def remove(self, number: int, going: torch.Tensor) -> None:
        """Close a group's channels for good, as bool [channels]."""
        super().remove(number, going)
        self.space[number] = self.space[number] & ~going

    def _draw(self, number: int) -> torch.Tensor:
        """Return a random half of the candidates, as bool [channels]."""
        candidates = self.space[number].nonzero().flatten()
        chosen = candidates[torch.randperm(len(candidates))[: len(candidates) // 2]]
        half = torch.zeros_like(self.space[number])
        half[chosen] = True
        return half

    def _decide(self, number: int) -> None:
        means = self.sums[number] / self.tried[number]  # 0 / 0, which no half has tried: last
        means = torch.where(self.tried[number] > 0, means, float("inf"))
        self.means[number] = torch.where(self.tried[number] > 0, means, self.means[number])
        theta, alive = self.thetas[number], self.alive[number]
        going, self.space[number] = decided(self.space[number], alive, means, theta)
        self.vain[number] = 0 if going.any() else self.vain[number] + 1
        if self.vain[number] >= patience(len(alive)):
            self.thetas[number], self.vain[number] = 2 * theta, 0
        self.remove(number, going)
        self.sums[number].zero_()
        self.tried[number].zero_()
        self.steps[number] = 0

    def _charges(self, number: int) -> Any:
        @torch.no_grad()
        def hook(reader: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
            if number in self._drawn:
                less = reader.forward(self.through(number, ~self._drawn[number], *inputs))
                base, ablated = (self._response(number, one) for one in (output, less))
                self._charged[number] = change(base, ablated)

        return hook

    def _response(self, number: int, maps: torch.Tensor) -> torch.Tensor:
        """Return what the reader's batch norm, and a ReLU right behind it, make of its outputs."""
        if not (name := self.inner[number].norm):
            return maps
        norm: Any = self.network.get_submodule(name)
        seen = functional.batch_norm(maps, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)
        if hasattr(norm, "act"):
            return norm.act(seen)
        return seen.relu() if name in self.relus else seen


def change(base: torch.Tensor, ablated: torch.Tensor) -> torch.Tensor:
    """Return Σ (base - ablated)² / Σ base² over a whole mini-batch."""
    return (base - ablated).square().sum() / base.square().sum().clamp(min=1e-12)


def decided(
    space: torch.Tensor, alive: torch.Tensor, means: torch.Tensor, theta: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which channels go after a half, and what is searched next, both bool [channels].

    Of the candidates in `space`, the half with the lowest `means` goes where all of it stays below
    `theta`; else it is searched on, or where it is one channel, all that is `alive`.
    """
    candidates = space.nonzero().flatten()
    count = len(candidates) // 2
    lowest = candidates[means[candidates].argsort(stable=True)[:count]]
    half = torch.zeros_like(space)
    half[lowest] = True
    if count and float(means[lowest].max()) < theta:
        return half, alive & ~half
    return torch.zeros_like(space), half if count > 1 else alive.clone()


def patience(width: int) -> int:
    """Return how many vain halves a threshold is given."""
    return max(1, round(2 * math.log2(width)))

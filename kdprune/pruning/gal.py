"""Generative adversarial learning of masks, reduced to the part that acts.

Lin et al., "Towards Optimal Structured CNN Pruning via Generative Adversarial Learning", CVPR 2019,
arXiv:1903.09291: the network with soft masks learns, without labels, to give the outputs of itself
unmasked, while an L1 penalty by FISTA (Beck and Teboulle 2009) draws the masks to zero.

Changed from the authors' code: no discriminator (theirs is linear, with a sigmoid twice); masks
begin at 1, not at random, and stand at channels inside blocks (`internal`) alone; the penalty acts
once, in the proximal step; a mask that came to zero stays there; the unmasked network is in
evaluation mode; the penalty grows until a level is reached, and what a level lacks at its end goes
by the smallest masks, and is told of.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from kdprune.methods import checked
from kdprune.pruning import internal
from kdprune.pruning.gated import Gated
from kdprune.pruning.internal import Inner
from kdprune.pruning.pruned import Pruned
from kdprune.pruning.trained import Train

GROWTH = 1.5  # of the penalty
LEAST = 1e-3  # of the last mask of a group, which stays


@checked
def prune(
    model: nn.Module,
    levels: Sequence[float],
    *,
    train: Train,
    input_size: int = 32,
    mu: Annotated[float, Field(gt=0, le=1000000, allow_inf_nan=False)] = 1.0,
    strength: Annotated[float, Field(ge=0, le=1000000, allow_inf_nan=False)] = 0.6,
    rate: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 0.01,
    every: Annotated[int, Field(ge=1, le=1000000)] = 20,
    patience: Annotated[int, Field(ge=1, le=10000)] = 1,
    epochs: Annotated[int, Field(ge=1, le=10000)] = 8,
    lr: Annotated[float, Field(gt=0, le=1000000, allow_inf_nan=False)] = 0.001,
) -> Iterator[Pruned]:
    """Yield `model` at each of the rising levels, the first state with that share of weights gone.

    Masks take a step of `rate` every `every` steps of the weights; a level lasts `epochs` at `lr`.
    The penalty is `strength` times the sum of masks, and grows by half for every `patience` epochs
    that a level has not been reached in. Masks that are left are folded into the layers that read
    them. Level 0 is `model` as it is. Raises KdpruneError, before it trains, for levels that
    channels inside blocks cannot reach.
    """
    inner = internal.find(model, input_size)
    internal.demand(model, inner, levels, "gal")
    task = Masked(model, inner, mu=mu, strength=strength, rate=rate, every=every)
    task.patience = patience * train.batches
    for level in levels:
        forced = 0
        task.begin(level)
        if not task.reached():
            train(task, epochs=epochs, lr=lr)
            forced = task.force(task.masks)
        note = f"penalty {task.strength:.3g}" + f", {forced} channels forced" * bool(forced)
        state, alive = task.folded(), task.alive
        yield internal.pruned(model, state, inner, alive, level=level, note=note if level else "")


def reach(model: nn.Module, input_size: int = 32) -> float:
    """Return the highest level that there is for a network: that of its channels inside blocks."""
    return internal.reach(model, input_size)


def spent(rises: int, given: Mapping[str, Any]) -> float:
    """Return the epochs of plain training that `rises` levels cost at most: a third more."""
    return rises * given["epochs"] * 4 / 3


class Masked(Gated):
    """A network with a soft mask for each inner channel, that imitates itself without any.

    `masks` [channels] by group are FISTA's iterates; `ahead` are its extrapolations, which the
    network is run with. `steps` counts those in which the present level has not been reached.
    """

    STORED = ("alive", "masks", "ahead", "slopes", "momentum", "steps", "strength")

    def __init__(
        self,
        model: nn.Module,
        inner: Sequence[Inner],
        *,
        mu: float,
        strength: float,
        rate: float,
        every: int,
    ) -> None:
        super().__init__(model, inner)
        self.mu, self.strength, self.rate, self.every = mu, strength, rate, every
        self.patience = every
        self._dense = [copy.deepcopy(model).eval()]  # in a list: neither trained nor stored
        self.masks = [torch.ones(len(alive)) for alive in self.alive]
        self.ahead = [mask.clone() for mask in self.masks]
        self.slopes = [torch.zeros_like(mask) for mask in self.masks]  # sums of gradients
        self.momentum, self.steps = 1.0, 0
        self._gates: list[torch.Tensor] = []

    def begin(self, level: float) -> None:
        """Turn to the next level: its gradients, and its patience, are its own."""
        self.target, self.steps = level, 0
        for slopes in self.slopes:
            slopes.zero_()

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar}: of the outputs, whatever the labels."""
        if self.steps and not self.reached():
            if self.steps % self.every == 0:
                self._step()
            if self.steps % self.patience == 0 and not self.reached():
                self.strength *= GROWTH
        if not self.reached():  # then no mask moves, and no gradient of one is asked for
            self.steps += 1
            self._gates = [self._watched(number) for number in range(len(self.masks))]
        with torch.no_grad():
            wanted = self._dense[0](images)
        loss = self.mu * (self.network(images) - wanted).square().mean()
        self._gates = []
        return {"loss": loss}

    def gate(self, number: int) -> torch.Tensor | None:
        """Return a group's factors [channels]."""
        return self._gates[number] if self._gates else self.ahead[number] * self.alive[number]

    def folded(self) -> dict[str, torch.Tensor]:
        """Return the network's tensors, with the masks multiplied into the layers that read."""
        state = {name: value.clone() for name, value in self.network.state_dict().items()}
        for number, one in enumerate(self.inner):
            weight = state[f"{one.reader}.weight"]
            weight *= self.masks[number][one.places].to(weight).view(1, -1, 1, 1)
        return state

    def remove(self, number: int, going: torch.Tensor) -> None:
        """Close a group's channels for good, as bool [channels]."""
        super().remove(number, going)
        for values in (self.masks, self.ahead):
            values[number] = values[number] * self.alive[number]

    def _watched(self, number: int) -> torch.Tensor:
        """Return a group's factors, whose gradients are added up."""
        factors = (self.ahead[number] * self.alive[number]).requires_grad_(True)
        factors.register_hook(lambda slope: self.slopes[number].add_(slope.cpu()))
        return factors

    def _step(self) -> None:
        """Take a step of FISTA by the mean gradient since the last one.

        Masks that it brings to zero go, the lowest first, until the target is reached; then no
        mask moves.
        """
        moved = [
            ahead - self.rate * slopes / self.every
            for ahead, slopes in zip(self.ahead, self.slopes, strict=True)
        ]
        shrunk = [(one - self.rate * self.strength).clamp(min=0) for one in moved]
        for slopes in self.slopes:
            slopes.zero_()
        self.force(moved, most=self.rate * self.strength)
        if self.reached():
            self.ahead = [mask.clone() for mask in self.masks]
            return
        self.momentum, share = after(self.momentum)
        for number, alive in enumerate(self.alive):
            old, new = self.masks[number], shrunk[number].clamp(min=LEAST) * alive
            self.masks[number], self.ahead[number] = new, (new + share * (new - old)) * alive


def after(momentum: float) -> tuple[float, float]:
    """Return FISTA's next t, and the share (t - 1) / t' of the last step that it goes ahead."""
    following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
    return following, (momentum - 1) / following

"""What pqk trains: a network that multiplies masked weights and sees all of it through few bits.

Learned step sizes: Esser et al., "Learned Step Size Quantization", ICLR 2020, arXiv:1902.08153,
with one symmetric grid for each tensor, so that a masked weight stays a zero.
"""

import copy
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from kdprune.models import counts

FLOOR = 1e-8  # of a step, which must stay positive
Loss = dict[str, torch.Tensor]


def largest(bits: int) -> int:
    """Return the largest whole number of a symmetric grid of so many bits."""
    return 2 ** (bits - 1) - 1


def first_step(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Return the step to begin with: 2 mean abs(x) / sqrt(largest)."""
    return 2 * values.detach().abs().mean() / largest(bits) ** 0.5


def fake_quantised(
    values: torch.Tensor, step: torch.Tensor, bits: int, *, numel: int = 0
) -> torch.Tensor:
    """Return `values` on the grid of whole multiples of `step`, a scalar.

    Gradients pass within the grid, and end beyond it; that of the step is scaled by
    1 / sqrt(numel * largest), numel of `values` unless given.
    """
    most = largest(bits)
    slower = (numel or values.numel()) * most
    step = step.clamp(min=FLOOR)
    step = step.detach() + (step - step.detach()) / slower**0.5
    places = (values / step).clamp(-most - 1, most)
    return (places + (places.round() - places).detach()) * step


def cubic(start: float, end: float, share: float) -> float:
    """Return the sparsity when `share` of the way is gone.

    Zhu and Gupta, "To prune, or not to prune", 2017, arXiv:1710.01878: fast first, then slower.
    """
    return end + (start - end) * (1 - min(share, 1.0)) ** 3


class Light(nn.Module):
    """A network with masks and steps beside its weights; called, it uses both.

    `whole` uses all weights, on the grid too, with batch-norm statistics of its own. `ramp`: masked
    weights go on learning, as if nothing masked them.
    """

    def __init__(self, model: nn.Module, bits: int) -> None:
        super().__init__()
        self.inner, self.bits, self.ramp = copy.deepcopy(model).requires_grad_(True), bits, True
        self.layers = list(counts.prunable(self.inner))
        weights = [self._weight(name) for name in self.layers]
        self.steps = nn.Parameter(torch.stack([first_step(one, bits) for one in weights]))
        self.input_steps = nn.Parameter(torch.zeros_like(self.steps))  # 0: not seen yet
        for number, (name, weight) in enumerate(zip(self.layers, weights, strict=True)):
            self.register_buffer(f"mask{number}", torch.ones_like(weight, dtype=torch.bool))
            layer = self.inner.get_submodule(name)
            layer.register_forward_pre_hook(lambda _, given, n=number: (self._seen(n, *given),))
        for number, (_, value) in enumerate(self.inner.named_buffers()):
            self.register_buffer(f"whole{number}", value.clone())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> logits [B, classes], by the weights that are left."""
        return functional_call(self.inner, self.weights(), (images,))

    def whole(self, images: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> logits [B, classes], by all weights."""
        held = [name for name, _ in self.inner.named_buffers()]
        own = {name: getattr(self, f"whole{number}") for number, name in enumerate(held)}
        return functional_call(self.inner, {**self.weights(masked=False), **own}, (images,))

    def weights(self, *, masked: bool = True) -> dict[str, torch.Tensor]:
        """Return the layers' weights on their grids, masked first: zero stays zero."""
        made = {}
        for number, name in enumerate(self.layers):
            weight = self._weight(name)
            if masked:
                left = weight * getattr(self, f"mask{number}")
                weight = weight + (left - weight).detach() if self.ramp else left
            made[f"{name}.weight"] = fake_quantised(weight, self.steps[number], self.bits)
        return made

    @torch.no_grad()
    def mask_to(self, sparsity: float) -> None:
        """Mask that share of each layer's weights, the smallest; ties may go beyond it."""
        for number, name in enumerate(self.layers):
            size = self._weight(name).detach().abs()
            count, mask = round(sparsity * size.numel()), getattr(self, f"mask{number}")
            mask.fill_(True)
            if count:
                mask.copy_(size > size.flatten().kthvalue(count).values)

    def _weight(self, name: str) -> torch.Tensor:
        weight = self.inner.get_submodule(name).weight
        assert isinstance(weight, torch.Tensor)
        return weight

    def _seen(self, number: int, given: torch.Tensor) -> torch.Tensor:
        """Return a layer's input on its grid, of which the first batch sets the step."""
        with torch.no_grad():
            if self.training and self.input_steps[number] == 0:
                self.input_steps[number] = first_step(given, self.bits).clamp(min=FLOOR)
        step = self.input_steps[number].clone()  # the next layer's first is written beside it
        return fake_quantised(given, step, self.bits, numel=given[0].numel()) if step else given


class Ramped(nn.Module):
    """Phase 1: masks rise from one sparsity to another in so many steps, under cross-entropy."""

    capturable = False
    cost = 1.0

    def __init__(self, network: Light, *, start: float, end: float, steps: int) -> None:
        super().__init__()
        self.network, self.start, self.end, self.steps = network, start, end, steps
        self.register_buffer("done", torch.zeros((), dtype=torch.long))

    def forward(self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor) -> Loss:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar}."""
        self.done += 1
        share = int(self.done) / self.steps
        self.network.mask_to(cubic(self.start, self.end, share))
        return {"loss": functional.cross_entropy(self.network(images), labels)}


class SelfTaught(nn.Module):
    """Phase 2: what is left learns from all weights, which learn from the labels beside it."""

    capturable = False
    cost = 2.0  # two networks forward and back

    def __init__(self, network: Light, *, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor) -> Loss:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar}."""
        taught, teaching = self.network(images), self.network.whole(images)
        loss = functional.cross_entropy(taught, labels) + functional.cross_entropy(teaching, labels)
        return {"loss": loss + distilled(taught, teaching.detach(), self.temperature)}


def distilled(taught: torch.Tensor, teaching: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return T² KL(teacher ‖ student) of softened logits, the mean over the batch."""
    student, teacher = ((one / temperature).log_softmax(1) for one in (taught, teaching))
    divergence = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


def same(network: Light, model: nn.Module) -> Light:
    """Return a copy of `network`, which was made of `model`: its hooks would stay with it."""
    other = Light(model, network.bits)
    other.load_state_dict(network.state_dict())
    return other.to(network.steps.device)


def plain(network: Light, model: nn.Module) -> nn.Module:
    """Return a network of the class of `model` whose weights are those that `network` uses."""
    made: Any = copy.deepcopy(model)
    state = {**network.inner.state_dict(), **network.weights()}
    made.load_state_dict({name: value.detach() for name, value in state.items()})
    return made

"""Which of a layer's weights go first, and by what values a scope compares its layers."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import nn

from kdprune.models import counts
from kdprune.pruning import calibration


class Scores(NamedTuple):
    """By layer: `order`, the positions of its weights as they go; `rising`, values from the least.

    The k-th value is what a scope compares the k-th weight to go by.
    """

    order: dict[str, torch.Tensor]
    rising: dict[str, torch.Tensor]


def l1(model: nn.Module) -> Scores:
    """Rank weights by absolute value (Han et al., NeurIPS 2015, arXiv:1506.02626)."""
    return _by({name: layer.weight for name, layer in counts.prunable(model).items()})


def taylor(model: nn.Module, data: Mapping[str, torch.Tensor] | None, *, images: int) -> Scores:
    """Rank weights by abs(w dw), dw the gradient of the mean loss over calibration images.

    On a trained network this is also SNIP's saliency (Lee et al., ICLR 2019, arXiv:1810.02340). For
    scope global: within a layer it is a worse guide than abs(w).
    """
    sums = {name: torch.zeros_like(layer.weight) for name, layer in counts.prunable(model).items()}
    batches = 0
    for network in calibration.differentiated(model, data, images=images):
        for name, layer in counts.prunable(network).items():
            sums[name] += 0 if layer.weight.grad is None else layer.weight.grad
        batches += 1
    return _by(
        {
            name: layer.weight * sums[name] / batches
            for name, layer in counts.prunable(model).items()
        }
    )


def random(model: nn.Module, *, seed: int) -> Scores:
    """Draw which weights go; how many of each layer is still told by the absolute values.

    So random pruning stands beside any scope at the same allocation.
    """
    generator, rising = torch.Generator().manual_seed(seed), l1(model).rising
    order = {
        name: torch.randperm(values.numel(), generator=generator).to(values.device)
        for name, values in rising.items()
    }
    return Scores(order, rising)


def ranking(values: torch.Tensor) -> torch.Tensor:
    """Return the positions of a tensor's elements by rising absolute value, ties by position.

    On a CPU, a stable argsort nine times faster: floats that are not negative are ordered as the
    integers of their bits, so that value and position make one key, which NumPy sorts with SIMD.
    """
    magnitude = values.detach().abs().flatten()
    if magnitude.device.type != "cpu" or magnitude.dtype != torch.float32:
        return magnitude.argsort(stable=True)
    keys = (magnitude.view(torch.int32).long() << 32) | torch.arange(len(magnitude))
    keys.numpy().sort()
    return keys & 0xFFFFFFFF


def _by(values: dict[str, torch.Tensor]) -> Scores:
    order = {name: ranking(value) for name, value in values.items()}
    rising = {name: value.detach().abs().flatten()[order[name]] for name, value in values.items()}
    return Scores(order, rising)

"""Layers that do not multiply by the weights that they store, such as standardised convolutions.

A zero among their stored weights is no zero among those that they use, and removing inputs changes
what the others are scaled by: neither pruning means what it says there.
"""

import copy

import torch
from torch import nn
from torch.nn.utils import parametrize

from kdprune.errors import KdpruneError
from kdprune.models import counts


def refuse_transformed(model: nn.Module) -> None:
    """Raise KdpruneError for the first layer whose output is not linear in its stored weights.

    Plain convolutions and linear layers are known to be; of other classes one layer of each is
    tried on random numbers.
    """
    linear: dict[type, bool] = {nn.Conv2d: True, nn.Linear: True}
    for name, layer in counts.prunable(model).items():
        stored = "weight" in layer._parameters and not parametrize.is_parametrized(layer)
        if stored and type(layer) not in linear:
            linear[type(layer)] = _is_linear(layer)
        if not stored or not linear[type(layer)]:
            raise KdpruneError(
                f"prune.method: {name} of {type(model).__name__} is a {type(layer).__name__} that "
                "transforms its weights at every forward: what is pruned would not be what is "
                "multiplied; use a network without such layers"
            )


@torch.no_grad()
def _is_linear(layer: nn.Conv2d | nn.Linear) -> bool:
    """Whether the outputs for a sum of weights are the sum of the outputs."""
    tried = copy.deepcopy(layer).cpu().double().eval()
    generator = torch.Generator().manual_seed(0)
    shape: tuple[int, ...]
    if isinstance(tried, nn.Linear):
        shape = (2, tried.in_features)
    else:
        size = [d * (k - 1) + 1 for d, k in zip(tried.dilation, tried.kernel_size, strict=True)]
        shape = (2, tried.in_channels, *size)
    inputs = torch.randn(shape, generator=generator, dtype=torch.float64)
    one, two = (
        torch.randn(tried.weight.shape, generator=generator, dtype=torch.float64) for _ in range(2)
    )

    def outputs(weight: torch.Tensor) -> torch.Tensor:
        tried.weight.copy_(weight)
        return tried(inputs)

    try:
        none = outputs(torch.zeros_like(one))
        sums = outputs(one) + outputs(two) - none
        return torch.allclose(outputs(one + two), sums, rtol=1e-6, atol=1e-6)
    except (RuntimeError, TypeError, ValueError):  # it takes other inputs: nobody knows
        return False

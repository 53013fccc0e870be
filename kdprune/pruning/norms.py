"""Which batch norm stands right behind which layer, seen in one pass through the network."""

from typing import Any

import torch
from torch import nn


@torch.no_grad()
def norm_behind(model: nn.Module, input_size: int = 32) -> dict[str, str]:
    """Return, by the name of a convolution or linear layer, that of the batch norm it feeds.

    Only where the batch norm takes the very tensor that the layer gave: none where concatenation
    or addition comes between. Batch norms without scale and shift do not count.
    """
    made: dict[int, tuple[str, torch.Tensor]] = {}  # the tensor is held, lest its id be another's
    behind: dict[str, str] = {}
    hooks = []

    def give(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: torch.Tensor) -> None:
            made[id(output)] = name, output

        return hook

    def take(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any) -> None:
            if id(inputs[0]) in made:
                behind.setdefault(made[id(inputs[0])][0], name)

        return hook

    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            hooks.append(layer.register_forward_hook(give(name)))
        elif isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.affine:
            hooks.append(layer.register_forward_pre_hook(take(name)))
    training, parameter = model.training, next(model.parameters())
    try:
        model.eval()(parameter.new_zeros(1, 3, input_size, input_size))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return behind

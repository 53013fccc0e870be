"""A guard against a kernel that writes where it must not.

oneDNN, as PyTorch 2.11 to 2.15 carry it, overruns its buffer on CPUs whose widest instructions are
AVX2: in the weight gradient of a 1x1 convolution with a stride, on channels-last images, where the
input channels are no multiple of 8. Cut networks have such layers. The process dies later, or goes
on with damaged memory. The same layer on images in the default layout takes another kernel.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

WIDTH = 8  # channels in a block of that kernel


@contextmanager
def guarded(network: nn.Module) -> Iterator[None]:
    """Let the layers that would meet that kernel have images in the default layout.

    Values do not change. Nothing happens on other devices.
    """
    hooks = [
        layer.register_forward_pre_hook(_rearranged)
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d) and _meets(layer)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _meets(layer: nn.Conv2d) -> bool:
    pointwise = layer.kernel_size == (1, 1) and max(layer.stride) > 1
    return pointwise and layer.in_channels % WIDTH != 0 and layer.weight.device.type == "cpu"


def _rearranged(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (inputs[0].contiguous(), *inputs[1:])

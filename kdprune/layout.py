"""How images and weights lie in memory. It changes nothing but rounding, which training magnifies.

Images are channels-last wherever networks train or are evaluated: batch norm, pooling and
convolutions read the channels of a pixel together, on CPUs as on tensor cores (1.1 to 1.4 times as
fast to train ResNets and DenseNets on a CPU, `benchmarks/layout.py`).
"""

import torch
from torch import nn


def arrange(network: nn.Module) -> nn.Module:
    """Lay out convolution weights as their device reads them fastest; return the same network.

    On CUDA, all are channels-last. On a CPU, those of depthwise and other grouped convolutions are:
    otherwise they are reordered at every call, which takes most of an EfficientNet's time. The
    others are left alone, for their gradients are faster so. No value changes.
    """
    for layer in network.modules():
        convolves = isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        if convolves and (layer.weight.is_cuda or layer.groups > 1):
            layer.to(memory_format=torch.channels_last)
    return network


def at_once(device: torch.device) -> int:
    """Return how many images are evaluated at a time: on a CPU, what stays in its caches."""
    return 500 if device.type == "cuda" else 250

"""Where computations run. No parameter, so a change makes nothing stale; but it changes rounding.

Training magnifies rounding: keep device and threads the same within a comparison.
"""

import os
import platform
from pathlib import Path

import torch
from torch import nn

from kdprune.errors import KdpruneError

VARIABLE = "KDPRUNE_DEVICE"
SMALL = 10_000_000  # multiply-accumulates of one image


def choose() -> torch.device:
    """Return the device: what KDPRUNE_DEVICE names, else cuda, mps or cpu, the first at hand.

    A GPU that the variable numbers becomes the current one, as streams and graphs are made on that.
    Raises KdpruneError where the variable names a device that is not there.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    wanted = os.environ.get(VARIABLE) or available[0]
    count = torch.cuda.device_count()
    try:
        device = torch.device(wanted)
        places = count if device.type == "cuda" else 1
        there = device.type in available and (device.index or 0) < places
    except RuntimeError:  # no name of a device
        there = False
    if not there:
        several = f" (cuda:0 to cuda:{count - 1})" if count > 1 else ""
        here = f"{', '.join(available)}{several}"
        raise KdpruneError(f"{VARIABLE}={wanted}: is not at hand; here: {here}")
    if device.index is not None and device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def limit_threads(macs: int) -> None:
    """Run a network of few multiply-accumulates per image (`SMALL`) on one thread of the CPU.

    Its layers take microseconds: a second thread gains 1.4 times on an idle machine, and loses up
    to 20 times on a busy one, where the threads wait for each other at every layer. OMP_NUM_THREADS
    has the last word.
    """
    if macs < SMALL and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def device_name(device: torch.device) -> str:
    """Return what a device calls itself, such as the processor's model name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    described = Path("/proc/cpuinfo")  # Linux; elsewhere the platform module knows
    lines = described.read_text(encoding="utf-8").splitlines() if described.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.processor() or platform.machine()
    return name if device.type == "cpu" else f"{device.type} of {name}"


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

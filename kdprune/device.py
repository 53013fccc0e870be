"""Where computations run: never a parameter, for it must not change what is asked for."""

import os

import torch

from kdprune.errors import KdpruneError

VARIABLE = "KDPRUNE_DEVICE"


def choose() -> torch.device:
    """Return the device: what KDPRUNE_DEVICE names, else cuda, mps or cpu, the first at hand.

    Raises KdpruneError where the variable names a device that is not there.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    wanted = os.environ.get(VARIABLE) or available[0]
    if wanted.split(":")[0] not in available:
        raise KdpruneError(f"{VARIABLE}={wanted}: is not at hand; here: {', '.join(available)}")
    return torch.device(wanted)

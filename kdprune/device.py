"""Where computations run. No parameter, so a change makes nothing stale; but it changes rounding.

Training magnifies rounding: keep device and threads the same within a comparison.
"""

import os

import torch

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

"""What runs faster with weights that are masked: networks beside themselves with most weights zero.

python benchmarks/sparse.py [NETWORK …]

Each is timed in every runtime that is installed, by turns, on one thread; a network of two linear
layers also with its weights in compressed sparse rows (torch.sparse), which convolutions lack. Told
is the processor's time, which other processes lengthen less than the clock's.
"""

import copy
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import networks
import numpy as np
import torch
from torch import nn

from kdprune.deployment import converting, runtimes

LINEAR = "linear"
NAMES = ("resnet10_24", LINEAR)
SHARES = {LINEAR: (0.9, 0.98)}  # of each layer's weights that are zero
BATCHES = (1, 16)
ROUNDS, WARM_UP = 5, 3
TURNS, SECONDS = 10, 0.5  # of a round: at least so many turns, and so much of the processor
OPTION = "CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE"  # OpenVINO's: for layers with as many zeros

Call = Callable[[torch.Tensor], object]


def in_rows(first: nn.Linear, last: nn.Linear) -> Call:
    """Return the call of two linear layers, a ReLU in between, by compressed sparse rows."""
    held = [(one.weight.detach().to_sparse_csr(), one.bias[:, None]) for one in (first, last)]

    @torch.inference_mode()
    def call(images: torch.Tensor) -> torch.Tensor:
        (weight, bias), (last_weight, last_bias) = held
        hidden = torch.relu(weight @ images.flatten(1).T + bias)
        return (last_weight @ hidden + last_bias).T

    return call


def network(name: str) -> nn.Module:
    """Return a network of conf/architectures.yaml, or the two linear layers: 3072 x 1024 x 10."""
    if name != LINEAR:
        return networks.network(name).eval()
    torch.manual_seed(0)
    made = nn.Sequential(nn.Flatten(), nn.Linear(3072, 1024), nn.ReLU(), nn.Linear(1024, 10))
    made.input_size = 32
    return made


def masked(model: nn.Module, share: float) -> nn.Module:
    """Return a copy with the smallest `share` of each layer's weights zero."""
    pruned = copy.deepcopy(model)
    with torch.no_grad():
        for weight in pruned.parameters():
            if weight.dim() > 1:
                size = weight.abs().flatten()
                kept = size.argsort()[round(share * len(size)) :]
                mask = torch.zeros_like(size).index_fill_(0, kept, 1.0)
                weight *= mask.view_as(weight)
    return pruned


def pairs(dense: nn.Module, pruned: nn.Module) -> dict[str, tuple[Call, Call]]:
    """Return by what runs them the calls of the network and of itself masked."""
    made: dict[str, tuple[Call, Call]] = {}
    for name in ("onnx", "openvino"):
        if not converting.missing(name):
            first, last = (arrays(one) for one in runtimes.RUNTIMES[name]([dense, pruned]).calls)
            made[name] = first, last
    if "openvino" in made:
        load = partial(converting.openvino, **{OPTION: 0.5})
        (call,) = runtimes.converted([pruned], load).calls
        made["openvino with its option"] = made["openvino"][0], arrays(call)
    first, last = runtimes.open_torch([dense, pruned]).calls
    made["torch"] = first, last
    if isinstance(pruned, nn.Sequential):
        made["torch, sparse rows"] = first, in_rows(pruned[1], pruned[3])
    return made


def arrays(call: Callable) -> Call:
    """Return the call of a runtime that takes numpy's arrays as one that takes a tensor."""
    return lambda images: call(images.numpy())


def main(names: list[str]) -> None:
    """Print what a pass takes, and how many times as long it takes with most weights zero."""
    os.environ["KDPRUNE_DEVICE"] = "cpu"
    torch.set_num_threads(1)
    for name in names:
        dense = network(name)
        for share in SHARES.get(name, (0.9,)):
            both = pairs(dense, masked(dense, share))
            for batch in BATCHES:
                print(f"{name}, {share:.0%} zeros, {batch} at a time", flush=True)
                compare(both, batch)
    print("2:4 needs a GPU of NVIDIA's Ampere or a newer kind: not measured")


def milliseconds(calls: list[Call], images: torch.Tensor) -> list[float]:
    """Return the lower quartile of the processor's time that each call takes, in a round of turns.

    Each first runs on one image, which brings its weights back into the caches. Their order is
    drawn anew for each turn: what ran before leaves its mark on caches.
    """
    order = np.random.default_rng(0)
    times: list[list[float]] = [[] for _ in calls]
    turn, end = 0, time.process_time() + SECONDS
    while turn < WARM_UP + TURNS or time.process_time() < end:
        for chosen in order.permutation(len(calls)):
            calls[chosen](images[:1])
            start = time.process_time()
            calls[chosen](images)
            times[chosen].append(1e3 * (time.process_time() - start))
        turn += 1
    return [float(np.percentile(one[WARM_UP:], 25)) for one in times]


def compare(both: dict[str, tuple[Call, Call]], batch: int) -> None:
    """Print the lower quartiles of both, and their ratio with its range over the rounds."""
    images = torch.randn(batch, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    calls = [call for pair in both.values() for call in pair]
    rounds = [milliseconds(calls, images) for _ in range(ROUNDS)]
    for place, name in enumerate(both):
        lows = [[one[2 * place + at] for one in rounds] for at in (0, 1)]
        ratios = sorted(late / early for early, late in zip(*lows, strict=True))
        times = " and ".join(f"{statistics.median(each):.3g}" for each in lows)
        print(
            f"  {name}: {statistics.median(ratios):.2f} [{ratios[0]:.2f} to {ratios[-1]:.2f}, "
            f"n = {ROUNDS}]; {times} ms; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:] or [*NAMES])

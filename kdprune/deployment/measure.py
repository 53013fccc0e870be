"""What a network costs where it is deployed: multiply-adds, bytes, and milliseconds.

A mask zeroes weights that dense kernels multiply all the same, and that a dense file stores all the
same: only a sparse or a compressed file gets smaller. Removed channels make every one smaller.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import zstandard
from safetensors.torch import save as serialise
from torch import nn

from kdprune.device import device_name
from kdprune.models import counts
from kdprune.models.building import side_of
from kdprune.pruning.pruned import Masks, Pruned

BATCHES = (1, 256)
ZSTD_LEVEL = 10  # a tenth better than the default on masked weights; 19 adds little, and is slow
WARM_UP = 3  # turns that are not counted: kernels are chosen and memory is fetched in them
FLOAT, POINTER = 4, 4  # bytes of a weight, and of a CSR row pointer


def sizes(model: nn.Module, masks: Masks | None = None) -> dict[str, Any]:
    """Return what a network computes and stores; its weights under False in `masks` are zero.

    macs: multiply-adds of one image. params: stored elements of all parameters; nonzero_params:
    those that no mask zeroes. dense_bytes: the network as a safetensors file, without metadata;
    zstd_bytes: that file compressed by Zstandard (RFC 8878) at ZSTD_LEVEL; sparse_bytes: that file
    with every masked tensor as its non-zero values and where they are, in `sparse_form`, the
    smaller of "bitmask" (a bit per element) and "csr" (4-byte row pointers, and column indices of
    1, 2 or 4 bytes as the rows' length needs). Tensors that would grow stay dense; sparse_form is
    "dense" where all do.
    """
    masks = masks or {}
    params = counts.parameters(model)
    file = serialise({name: value.contiguous().cpu() for name, value in model.state_dict().items()})
    forms = {
        name: len(file) - sum(_saved(mask, form) for mask in masks.values())
        for name, form in (("bitmask", _bitmask), ("csr", _csr))
    }
    best = min(forms, key=lambda name: forms[name])
    return {
        "macs": counts.macs(model),
        "params": params,
        "nonzero_params": params - sum(int((~mask).sum()) for mask in masks.values()),
        "dense_bytes": len(file),
        "zstd_bytes": len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(file)),
        "sparse_bytes": forms[best],
        "sparse_form": best if forms[best] < len(file) else "dense",
    }


def _saved(mask: torch.Tensor, form: Callable[[int, int, int], int]) -> int:
    """Return the bytes that a sparse form of a masked tensor saves, none where it would grow."""
    rows = len(mask) if mask.dim() > 1 else 1
    sparse = form(rows, mask.numel() // rows, int(mask.sum()))
    return max(0, FLOAT * mask.numel() - sparse)


def _bitmask(rows: int, columns: int, kept: int) -> int:
    return math.ceil(rows * columns / 8) + FLOAT * kept


def _csr(rows: int, columns: int, kept: int) -> int:
    index = 1 if columns <= 2**8 else 2 if columns <= 2**16 else 4
    return POINTER * (rows + 1) + (index + FLOAT) * kept


@torch.inference_mode()
def latency(
    models: Sequence[nn.Module],
    batch: int,
    *,
    repeats: int = 200,
    least: int = 10,
    seconds: float = 1.0,
) -> list[dict[str, float]]:
    """Time the forward pass of each of `models` on the same `batch` of normal random images.

    The networks take turns, so that whatever else the machine does troubles all of them alike; who
    begins changes from turn to turn. In a turn a network first runs on one image, which brings its
    weights back into the caches, and is then timed, the device's queue empty before and after.
    Turns end after `repeats`, or once there are `least` of them and `seconds` have passed. All
    models are in evaluation mode on one device. Returns per network latency_ms_median,
    latency_ms_p25 and latency_ms_p75 (milliseconds for the whole batch), and repeats, the number
    of timed runs.
    """
    place = next(models[0].parameters()).device
    generator = torch.Generator().manual_seed(0)
    side = side_of(models[0])
    images = torch.randn(batch, 3, side, side, generator=generator).to(place)
    images = images.contiguous(memory_format=torch.channels_last)  # as training.loop
    times: list[list[float]] = [[] for _ in models]
    end = math.inf
    for turn in range(WARM_UP + repeats):
        if turn == WARM_UP:
            end = time.perf_counter() + seconds
        if turn >= WARM_UP + least and time.perf_counter() >= end:
            break
        for at in range(len(models)):
            chosen = (turn + at) % len(models)
            models[chosen](images[:1])
            times[chosen].append(_milliseconds(models[chosen], images))
    return [_quartiles(series[WARM_UP:]) for series in times]


def _milliseconds(model: nn.Module, images: torch.Tensor) -> float:
    wait = torch.accelerator.synchronize if images.device.type != "cpu" else lambda: None
    wait()
    start = time.perf_counter()
    model(images)
    wait()
    return 1e3 * (time.perf_counter() - start)


def _quartiles(times: Sequence[float]) -> dict[str, float]:
    low, middle, high = np.percentile(times, [25, 50, 75]).tolist()
    named = {"latency_ms_median": middle, "latency_ms_p25": low, "latency_ms_p75": high}
    return {**named, "repeats": len(times)}


def compare(
    variants: Mapping[str, Pruned], batches: Sequence[int] = BATCHES, **settings: Any
) -> list[dict[str, Any]]:
    """Measure one network and its pruned variants, by name, beside each other.

    Returns a row per variant and batch: method (the variant's name), level, batch, device, threads
    (of the CPU), and the figures of `sizes` and of `latency`, whose `settings` may be given.
    """
    pruned = list(variants.values())
    models = [item.model.eval() for item in pruned]
    place = next(models[0].parameters()).device
    where = {"device": device_name(place), "threads": torch.get_num_threads()}
    stored = [sizes(item.model, item.masks) for item in pruned]
    timed = {batch: latency(models, batch, **settings) for batch in batches}
    return [
        {"method": name, "level": item.level, "batch": batch, **where, **stored[at], **times[at]}
        for at, (name, item) in enumerate(variants.items())
        for batch, times in timed.items()
    ]

"""What a network costs where it is deployed: multiply-adds, bytes, and milliseconds.

A mask zeroes weights that dense kernels multiply all the same, and that a dense file stores all the
same: only a sparse or a compressed file gets smaller. Removed channels make every one smaller.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import zstandard
from safetensors.torch import save as serialise
from torch import nn

from kdprune.deployment.latency import latency
from kdprune.deployment.runtimes import RUNTIMES, at_hand, graph
from kdprune.errors import KdpruneError, tell
from kdprune.models import counts
from kdprune.pruning.pruned import Masks, Pruned

BATCHES = (1, 256)
ZSTD_LEVEL = 10  # a tenth better than the default on masked weights; 19 adds little, and is slow
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


def compare(
    variants: Mapping[str, Pruned],
    batches: Sequence[int] = BATCHES,
    runtimes: Sequence[str] | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Measure one network and its pruned variants, by name, beside each other.

    Variants of one graph (a mask changes none) are timed once and share the time. `runtimes` None
    stands for all that are installed; one that cannot run the networks is told of and left out.
    Returns a row per variant, runtime and batch: method (the variant's name), level, graph,
    runtime, batch, device, threads (of the CPU), and the figures of `sizes` and of
    `latency.latency`, whose `settings` may be given.
    """
    pruned = list(variants.values())
    for item in pruned:
        item.model.eval()
    graphs = [graph(item.model) for item in pruned]
    apart: dict[str, nn.Module] = {}
    for name, item in zip(graphs, pruned, strict=True):
        apart.setdefault(name, item.model)
    stored = [sizes(item.model, item.masks) for item in pruned]
    timed = {
        (runtime, batch): figures
        for runtime in (at_hand() if runtimes is None else runtimes)
        for batch, figures in _timed(runtime, apart, batches, settings).items()
    }
    return [
        {"method": name, "level": item.level, "graph": graphs[at], "runtime": runtime}
        | {"batch": batch, **figures[""], **stored[at], **figures[graphs[at]]}
        for at, (name, item) in enumerate(variants.items())
        for (runtime, batch), figures in timed.items()
    ]


def _timed(
    runtime: str, apart: Mapping[str, nn.Module], batches: Sequence[int], settings: dict[str, Any]
) -> dict[int, dict[str, dict[str, Any]]]:
    """Return by batch the times of each graph, and under "" where they were taken."""
    try:
        opened = RUNTIMES[runtime](list(apart.values()))
    except KdpruneError as error:
        tell(f"measure: {error}; it is not timed in {runtime}")
        return {}
    where = {"device": opened.device, "threads": torch.get_num_threads()}
    timed = {}
    for batch in batches:
        times = latency(opened.calls, opened.images(batch), wait=opened.wait, **settings)
        timed[batch] = {"": where, **dict(zip(apart, times, strict=True))}
    return timed

"""One point of a sweep as a network: pruned to a level, and tuned with one of the sweep's seeds.

`kdprune.pruning.sweep` keeps accuracies only. Here the same functions are called in the same order
with the same arguments, and the network is kept.
"""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.pruning import METHODS, channel, groups
from kdprune.pruning.batchnorm import re_estimate
from kdprune.pruning.finetune import tuned_copy
from kdprune.pruning.groups import IN, OUT
from kdprune.pruning.heads import tuned_heads
from kdprune.pruning.pruned import Pruned


def prune_and_tune(
    model: nn.Module,
    data: Mapping[str, torch.Tensor],
    *,
    method: str,
    level: float,
    seed: int,
    seeds: int,
    re_estimate_images: int,
    finetune: Mapping[str, Any],
    hyperparameters: Mapping[str, Any],
    input_size: int = 32,
) -> Pruned:
    """Return what `sweep` evaluates at `level` for `seed`, one of its `seeds` seeds.

    Arguments as of `kdprune.pruning.sweep.sweep`. Masked weights of the result's model are zero.
    Raises KdpruneError where the method cannot reach the level or follow the network.
    """
    pruned = next(METHODS[method](model, [level], input_size=input_size, **hyperparameters))
    stats = data["mean"], data["std"]
    if re_estimate_images:
        re_estimate(pruned.model, data["train_images"], *stats, count=re_estimate_images)
    settings = dict(finetune)
    scope = settings.pop("scope")
    if scope == "head":
        _tune_head(pruned, data, seed=seed, seeds=seeds, **settings)
    elif scope == "all":
        settings.pop("views")
        settings |= {"seed": seed, "title": f"{method} {level:.0%}"}
        pruned.model = tuned_copy(pruned.model, pruned.masks, data, **settings)
    # a copy loses the hooks that kept masked weights at zero, and with them ties to the training
    pruned.model = copy.deepcopy(pruned.model).requires_grad_(False).eval()
    return pruned


def _tune_head(
    pruned: Pruned, data: Mapping[str, torch.Tensor], *, seed: int, seeds: int, **settings: Any
) -> None:
    # all seeds, though one is kept: a batched product need not round as that of one matrix does
    weights, biases = tuned_heads(pruned.model, pruned.masks, data, seeds=range(seeds), **settings)
    head = pruned.model.get_classifier()
    head.weight = nn.Parameter(weights[seed].clone(), requires_grad=False)
    head.bias = nn.Parameter(biases[seed].clone(), requires_grad=False)


@torch.no_grad()
def masked_twin(dense: nn.Module, pruned: Pruned, input_size: int = 32) -> nn.Module:
    """Return a network of `dense`'s shapes that holds a cut network's weights, and zeros elsewhere.

    For channel removal: which channels stay is found from the dense network anew, so that the twin
    gives the same outputs only if the right channels were cut, and rightly so. Raises KdpruneError
    where what stays and the cut network's shapes do not match.
    """
    found = groups.find(dense, input_size)
    order = channel.removal_order([group.size for group in found])
    steps = round(pruned.ratio * sum(group.size for group in found))
    ranked = [channel.ranking(dense, group) for group in found]
    kept = channel.kept_after(found, ranked, order[:steps])
    twin = copy.deepcopy(dense).requires_grad_(False).eval()
    for name, layer in twin.named_modules():
        small = pruned.model.get_submodule(name)
        own = {**layer._parameters, **layer._buffers}
        for leaf, tensor in own.items():
            if tensor is not None:
                _spread(tensor, getattr(small, leaf), kept.get((name, OUT)), kept.get((name, IN)))
    return twin


def _spread(
    into: torch.Tensor, values: torch.Tensor, rows: np.ndarray | None, columns: np.ndarray | None
) -> None:
    """Put `values` where rows and columns are kept, and zeros elsewhere."""
    if into.dim() == 0:
        into.copy_(values)
        return
    kept = [rows, columns][: min(into.dim(), 2)]
    at = [
        torch.arange(size) if keep is None else torch.as_tensor(np.flatnonzero(keep))
        for size, keep in zip(into.shape, kept, strict=False)
    ]
    if tuple(map(len, at)) != tuple(values.shape[: len(at)]):
        raise KdpruneError(
            f"channel removal left {tuple(values.shape)}, but {tuple(map(len, at))} was to stay"
        )
    into.zero_()
    into[(at[0].unsqueeze(1), at[1]) if len(at) == 2 else at[0]] = values.to(into.dtype)

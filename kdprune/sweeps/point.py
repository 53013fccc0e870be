"""One point of a sweep as a network: pruned to a level, and tuned with one of the sweep's seeds.

`kdprune.sweeps.sweep` keeps accuracies only. Here the same functions are called in the same order
with the same arguments, and the network is kept.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from kdprune.pruning import METHODS
from kdprune.pruning.pruned import Pruned
from kdprune.sweeps.batchnorm import re_estimate
from kdprune.sweeps.finetune import measure, tune_all, tune_head, tuned_copy
from kdprune.sweeps.heads import tuned_heads


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

    Arguments as of `kdprune.sweeps.sweep.sweep`. Masked weights of the result's model are zero.
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


def right_by_seed(
    pruned: Pruned,
    data: Mapping[str, torch.Tensor],
    seeds: Sequence[int],
    finetune: Mapping[str, Any],
    title: str,
) -> dict[str, torch.Tensor]:
    """Tune a pruned network with every seed; return which images each classifies rightly.

    That is {"val": bool [S, N], "test": bool [S, N]}.
    """
    settings = dict(finetune)
    scope, views = settings.pop("scope"), settings.pop("views")
    if scope == "none":
        return measure(pruned.model, data, seeds=seeds)
    if scope == "all":
        title = f"{title} {pruned.level:.0%}"
        return tune_all(pruned.model, pruned.masks, data, seeds=seeds, title=title, **settings)
    return tune_head(pruned.model, pruned.masks, data, seeds=seeds, views=views, **settings)


def _tune_head(
    pruned: Pruned, data: Mapping[str, torch.Tensor], *, seed: int, seeds: int, **settings: Any
) -> None:
    # all seeds, though one is kept: a batched product need not round as that of one matrix does
    weights, biases = tuned_heads(pruned.model, pruned.masks, data, seeds=range(seeds), **settings)
    head = pruned.model.get_classifier()
    head.weight = nn.Parameter(weights[seed].clone(), requires_grad=False)
    head.bias = nn.Parameter(biases[seed].clone(), requires_grad=False)

"""One point of a sweep: a network pruned to a level, and tuned with each of the sweep's seeds.

`kdprune.sweeps.sweep` keeps which images are classified rightly. `prune_and_tune` calls the same
functions in the same order with the same arguments, and keeps the network of one seed.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from kdprune.pruning import application
from kdprune.pruning.pruned import Pruned
from kdprune.sweeps.batchnorm import re_estimate
from kdprune.sweeps.features import features
from kdprune.sweeps.finetune import FineTune, tuned_copy
from kdprune.sweeps.heads import tuned_heads
from kdprune.sweeps.tutor import Tutor
from kdprune.training.loop import predict

Data = Mapping[str, torch.Tensor]
Right = dict[str, torch.Tensor]  # {"val": bool [S, N], "test": bool [S, N]}


class Scope(NamedTuple):
    """What one value of prune.finetune.scope does, to measure all seeds or to keep one network."""

    right: Callable[[Pruned, Data, Sequence[int], FineTune, Tutor | None, str], Right]
    keep: Callable[[Pruned, Data, int, int, FineTune, Tutor | None], None]


def right_by_seed(
    pruned: Pruned,
    data: Data,
    seeds: Sequence[int],
    finetune: FineTune,
    tutor: Tutor | None,
    title: str,
) -> Right:
    """Tune a pruned network with every seed; return which images each classifies rightly.

    That is {"val": bool [S, N], "test": bool [S, N]}. `data` holds train_images, train_labels,
    val_…, test_…, mean and std; `tutor` is learned from, where the objective is no labels'.
    """
    return SCOPES[finetune.scope].right(pruned, data, seeds, finetune, tutor, title)


def prune_and_tune(
    model: nn.Module,
    data: Data,
    *,
    method: str,
    level: float,
    seed: int,
    seeds: int,
    re_estimate_images: int,
    finetune: FineTune,
    hyperparameters: Mapping[str, Any],
    tutor: nn.Module | None = None,
    trajectory: Path | None = None,
) -> Pruned:
    """Return what `sweep` evaluates at `level` for `seed`, one of its `seeds` seeds.

    Arguments as of `kdprune.sweeps.sweep.sweep`. Masked weights of the result's model are zero.
    Raises KdpruneError where the method cannot reach the level or follow the network.
    """
    how = hyperparameters, lambda: data, trajectory, finetune.augment
    pruned = next(application.prune(method, model, [level], *how))
    stats = data["mean"], data["std"]
    if re_estimate_images:
        re_estimate(
            pruned.model,
            data["train_images"],
            *stats,
            count=re_estimate_images,
            augment=finetune.augment,
        )
    SCOPES[finetune.scope].keep(pruned, data, seed, seeds, finetune, Tutor(tutor or model))
    # a copy loses the hooks that kept masked weights at zero, and with them ties to the training
    pruned.model = copy.deepcopy(pruned.model).requires_grad_(False).eval()
    return pruned


def _right_of_heads(
    pruned: Pruned,
    data: Data,
    seeds: Sequence[int],
    finetune: FineTune,
    tutor: Tutor | None,
    title: str,
) -> Right:
    weights, biases = tuned_heads(pruned, data, finetune, seeds=seeds, tutor=tutor)
    right = {}
    for split in ("val", "test"):
        inputs = features(pruned.model, data[f"{split}_images"], data["mean"], data["std"])
        logits = torch.einsum("nd,skd->snk", inputs, weights) + biases.unsqueeze(1)
        right[split] = logits.argmax(2) == data[f"{split}_labels"]
    return right


def _right_of_copies(
    pruned: Pruned,
    data: Data,
    seeds: Sequence[int],
    finetune: FineTune,
    tutor: Tutor | None,
    title: str,
) -> Right:
    by_seed = []
    for seed in seeds:
        name = f"{title} {pruned.level:.0%} seed {seed}"
        network = tuned_copy(pruned, data, finetune, seed, tutor=tutor, title=name)
        by_seed.append(_right_of(network, data, [seed]))
    return {split: torch.cat([item[split] for item in by_seed]) for split in ("val", "test")}


def _right_as_it_is(
    pruned: Pruned,
    data: Data,
    seeds: Sequence[int],
    finetune: FineTune,
    tutor: Tutor | None,
    title: str,
) -> Right:
    return _right_of(pruned.model, data, seeds)


def _right_of(network: nn.Module, data: Data, seeds: Sequence[int]) -> Right:
    """Evaluate a network without tuning it, alike for every seed."""
    right = {}
    for split in ("val", "test"):
        logits = predict(network, data[f"{split}_images"], data["mean"], data["std"])
        alike = logits.argmax(1) == data[f"{split}_labels"]
        right[split] = alike.expand(len(seeds), -1)
    return right


def _keep_head(
    pruned: Pruned, data: Data, seed: int, seeds: int, finetune: FineTune, tutor: Tutor | None
) -> None:
    # all seeds, though one is kept: a batched product need not round as that of one matrix does
    weights, biases = tuned_heads(pruned, data, finetune, seeds=range(seeds), tutor=tutor)
    head = pruned.model.get_classifier()
    head.weight = nn.Parameter(weights[seed].clone(), requires_grad=False)
    head.bias = nn.Parameter(biases[seed].clone(), requires_grad=False)


def _keep_copy(
    pruned: Pruned, data: Data, seed: int, seeds: int, finetune: FineTune, tutor: Tutor | None
) -> None:
    title = f"{pruned.level:.0%} seed {seed}"
    pruned.model = tuned_copy(pruned, data, finetune, seed, tutor=tutor, title=title)


def _keep_as_it_is(
    pruned: Pruned, data: Data, seed: int, seeds: int, finetune: FineTune, tutor: Tutor | None
) -> None:
    """Nothing is tuned."""


SCOPES = {
    "head": Scope(_right_of_heads, _keep_head),
    "all": Scope(_right_of_copies, _keep_copy),
    "none": Scope(_right_as_it_is, _keep_as_it_is),
}

"""Fine-tuning of pruned networks: of the last layer, of all layers, or not at all."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from kdprune.distillation.none import Supervised
from kdprune.pruning.heads import features, tuned_heads
from kdprune.pruning.pruned import Masks, apply
from kdprune.training import evaluate, fit


def tune_head(
    model: nn.Module,
    masks: Masks,
    data: Mapping[str, torch.Tensor],
    *,
    seeds: Sequence[int],
    **settings: Any,
) -> dict[str, list[float]]:
    """Tune the classifier once per seed; return accuracies {"val": …, "test": …} per seed.

    `data` holds train_images, train_labels, val_…, test_…, mean and std; `settings` go to
    `tuned_heads`, which see.
    """
    weights, biases = tuned_heads(model, masks, data, seeds=seeds, **settings)
    accuracies = {}
    for split in ("val", "test"):
        inputs = features(model, data[f"{split}_images"], data["mean"], data["std"])
        logits = torch.einsum("nd,skd->snk", inputs, weights) + biases.unsqueeze(1)
        right = logits.argmax(2) == data[f"{split}_labels"]
        accuracies[split] = (100 * right.sum(1).double() / right.shape[1]).tolist()
    return accuracies


def tuned_copy(
    model: nn.Module,
    masks: Masks,
    data: Mapping[str, torch.Tensor],
    *,
    seed: int,
    title: str = "",
    **training: Any,
) -> nn.Module:
    """Return a copy of the network whose weights that are left have all been tuned, by `fit`."""
    tuned = copy.deepcopy(model).requires_grad_(True)
    apply(tuned, masks)
    fit(
        Supervised(tuned),
        images=data["train_images"],
        labels=data["train_labels"],
        val_images=data["val_images"],
        val_labels=data["val_labels"],
        mean=data["mean"],
        std=data["std"],
        schedule="constant",
        seed=seed,
        title=title,
        **training,
    )
    return tuned


def tune_all(
    model: nn.Module,
    masks: Masks,
    data: Mapping[str, torch.Tensor],
    *,
    seeds: Sequence[int],
    title: str = "",
    **training: Any,
) -> dict[str, list[float]]:
    """Tune all weights that are left, a copy of the network per seed; arguments as `tune_head`."""
    accuracies: dict[str, list[float]] = {"val": [], "test": []}
    for seed in seeds:
        name = f"{title} seed {seed}"
        tuned = tuned_copy(model, masks, data, seed=seed, title=name, **training)
        for split, values in measure(tuned, data, seeds=[seed]).items():
            accuracies[split] += values
    return accuracies


def measure(
    model: nn.Module, data: Mapping[str, torch.Tensor], *, seeds: Sequence[int]
) -> dict[str, list[float]]:
    """Evaluate without tuning; every seed has the same accuracy."""
    return {
        split: [
            evaluate(
                model, data[f"{split}_images"], data[f"{split}_labels"], data["mean"], data["std"]
            )
        ]
        * len(seeds)
        for split in ("val", "test")
    }

"""Fine-tuning of pruned networks: of the last layer, of all layers, or not at all."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from kdprune.distillation.none import Supervised
from kdprune.errors import KdpruneError
from kdprune.pruning.pruned import Masks, apply
from kdprune.sweeps.heads import features, tuned_heads
from kdprune.training.loop import Diverged, fit, predict
from kdprune.training.remedies import at_fault


def tune_head(
    model: nn.Module,
    masks: Masks,
    data: Mapping[str, torch.Tensor],
    *,
    seeds: Sequence[int],
    **settings: Any,
) -> dict[str, torch.Tensor]:
    """Tune the classifier once per seed; return which images each classifies rightly.

    That is {"val": bool [S, N], "test": bool [S, N]}. `data` holds train_images, train_labels,
    val_…, test_…, mean and std; `settings` go to `tuned_heads`, which see.
    """
    weights, biases = tuned_heads(model, masks, data, seeds=seeds, **settings)
    right = {}
    for split in ("val", "test"):
        inputs = features(model, data[f"{split}_images"], data["mean"], data["std"])
        logits = torch.einsum("nd,skd->snk", inputs, weights) + biases.unsqueeze(1)
        right[split] = logits.argmax(2) == data[f"{split}_labels"]
    return right


def tuned_copy(
    model: nn.Module,
    masks: Masks,
    data: Mapping[str, torch.Tensor],
    *,
    seed: int,
    title: str = "",
    **training: Any,
) -> nn.Module:
    """Return a copy of the network whose weights that are left have all been tuned, by `fit`.

    Raises KdpruneError where the tuning diverges.
    """
    tuned = copy.deepcopy(model).requires_grad_(True)
    apply(tuned, masks)
    try:
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
    except Diverged as error:
        key = at_fault(training)
        told = f"prune.finetune.{key} = {training[key]}: {error}; lower it"
        raise KdpruneError(told) from None
    return tuned


def tune_all(
    model: nn.Module,
    masks: Masks,
    data: Mapping[str, torch.Tensor],
    *,
    seeds: Sequence[int],
    title: str = "",
    **training: Any,
) -> dict[str, torch.Tensor]:
    """Tune all weights that are left, a copy of the network per seed; the rest as `tune_head`."""
    found = []
    for seed in seeds:
        name = f"{title} seed {seed}"
        tuned = tuned_copy(model, masks, data, seed=seed, title=name, **training)
        found.append(measure(tuned, data, seeds=[seed]))
    return {split: torch.cat([item[split] for item in found]) for split in ("val", "test")}


def measure(
    model: nn.Module, data: Mapping[str, torch.Tensor], *, seeds: Sequence[int]
) -> dict[str, torch.Tensor]:
    """Evaluate without tuning, every seed alike; returns what `tune_head` does."""
    right = {}
    for split in ("val", "test"):
        logits = predict(model, data[f"{split}_images"], data["mean"], data["std"])
        alike = logits.argmax(1) == data[f"{split}_labels"]
        right[split] = alike.expand(len(seeds), -1)
    return right

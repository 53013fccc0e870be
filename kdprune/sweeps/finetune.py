"""Fine-tuning of pruned networks: what it is told, and the tuning of all layers."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from kdprune.data.augment import Augment, random_crop_flip
from kdprune.distillation.none import Supervised
from kdprune.errors import KdpruneError
from kdprune.pruning.pruned import Pruned, apply
from kdprune.training.loop import Diverged, fit
from kdprune.training.recipe import Recipe
from kdprune.training.remedies import at_fault


@dataclass(frozen=True)
class FineTune:
    """Which layers are tuned after pruning, and how (prune.finetune in params.yaml).

    `views` counts the augmented views of each image on whose features a head is tuned;
    `augment` draws them.
    """

    scope: Literal["head", "all", "none"]
    epochs: int
    batch_size: int
    lr: float
    momentum: float
    nesterov: bool
    weight_decay: float
    views: int
    augment: Augment = random_crop_flip

    def recipe(self, seed: int = 0) -> Recipe:
        """Return the training of one seed, at a constant rate."""
        return Recipe(
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            seed=seed,
        )


def tuned_copy(
    pruned: Pruned,
    data: Mapping[str, torch.Tensor],
    recipe: Recipe,
    *,
    augment: Augment = random_crop_flip,
    title: str = "",
) -> nn.Module:
    """Return a copy of a pruned network whose weights that are left have all been tuned.

    `data` holds train_images, train_labels, val_…, mean and std. Raises KdpruneError where the
    tuning diverges.
    """
    network = copy.deepcopy(pruned.model).requires_grad_(True)
    apply(network, pruned.masks)
    try:
        fit(
            Supervised(network),
            recipe,
            images=data["train_images"],
            labels=data["train_labels"],
            val_images=data["val_images"],
            val_labels=data["val_labels"],
            mean=data["mean"],
            std=data["std"],
            augment=augment,
            title=title,
        )
    except Diverged as error:
        key = at_fault(recipe)
        told = f"prune.finetune.{key} = {getattr(recipe, key)}: {error}; lower it"
        raise KdpruneError(told) from None
    return network

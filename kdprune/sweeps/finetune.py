"""Fine-tuning of pruned networks: what it is told, and the tuning of all layers."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from kdprune.data.augment import Augment, random_crop_flip
from kdprune.distillation import METHODS
from kdprune.distillation.task import Task
from kdprune.errors import KdpruneError
from kdprune.pruning.pruned import Pruned, apply
from kdprune.sweeps.tutor import Tutor
from kdprune.training.loop import Diverged, fit
from kdprune.training.recipe import Recipe
from kdprune.training.remedies import at_fault

LABELS = "labels"  # the objective without a teacher


@dataclass(frozen=True)
class FineTune:
    """Which layers are tuned after pruning, and how (prune.finetune in params.yaml).

    `views` counts the augmented views of each image on whose features a head is tuned; `augment`
    draws them. `objective` is labels or a distillation method, `settings` its hyperparameters. With
    `original`, the recipe that the network was trained by, learning rates are those of its last
    `epochs`.
    """

    scope: Literal["head", "all", "none"]
    epochs: int
    batch_size: int
    lr: float
    momentum: float
    nesterov: bool
    weight_decay: float
    views: int
    objective: str = LABELS
    settings: Mapping[str, Any] = field(default_factory=dict)
    original: Recipe | None = None
    augment: Augment = random_crop_flip

    def recipe(self, seed: int = 0) -> Recipe:
        """Return the training of one seed: at a constant rate, or at those of `original`'s end.

        Raises KdpruneError where that was shorter.
        """
        rates: dict[str, Any] = {"lr": self.lr}
        if (given := self.original) is not None:
            if given.epochs < self.epochs:
                raise KdpruneError(
                    f"prune.finetune.epochs = {self.epochs}: more than the {given.epochs} of the "
                    "training whose rates schedule: rewind replays; lower it"
                )
            names = ("lr", "schedule", "warmup", "milestones", "gamma")
            rates = {name: getattr(given, name) for name in names}
            rates["skipped"] = given.epochs - self.epochs
        return Recipe(
            **rates,
            epochs=self.epochs,
            batch_size=self.batch_size,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            seed=seed,
        )


def tuned_copy(
    pruned: Pruned,
    data: Mapping[str, torch.Tensor],
    finetune: FineTune,
    seed: int,
    *,
    tutor: Tutor | None = None,
    title: str = "",
) -> nn.Module:
    """Return a copy of a pruned network whose weights that are left have all been tuned.

    `data` holds train_images, train_labels, val_…, mean and std; `tutor` is learned from, where the
    objective is no labels', and stays as it is. Raises KdpruneError where the tuning diverges.
    """
    recipe = finetune.recipe(seed)
    network = copy.deepcopy(pruned.model).requires_grad_(True)
    apply(network, pruned.masks)
    torch.manual_seed(seed)  # for what the method draws, such as its regressors
    try:
        fit(
            _task(network, data, finetune, tutor),
            recipe,
            images=data["train_images"],
            labels=data["train_labels"],
            val_images=data["val_images"],
            val_labels=data["val_labels"],
            mean=data["mean"],
            std=data["std"],
            augment=finetune.augment,
            title=title,
        )
    except Diverged as error:
        key = at_fault(recipe)
        told = f"prune.finetune.{key} = {getattr(recipe, key)}: {error}; lower it"
        raise KdpruneError(told) from None
    return network


def _task(
    network: nn.Module,
    data: Mapping[str, torch.Tensor],
    finetune: FineTune,
    tutor: Tutor | None,
) -> Task:
    if tutor is None or finetune.objective == LABELS:
        return METHODS["none"](network)
    labels, method = data["train_labels"], METHODS[finetune.objective]
    task = method(network, tutor.network, labels=labels, **finetune.settings)
    if task.network is not network:
        raise KdpruneError(
            f"prune.finetune.objective: {finetune.objective} puts another network in the place of "
            "the pruned one; use another method"
        )
    return task.to(labels.device)

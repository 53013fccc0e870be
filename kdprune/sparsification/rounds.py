"""The trainings that a method asks for on its way, each resumed where a kill has left it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from kdprune.data.augment import Augment, random_crop_flip
from kdprune.errors import KdpruneError
from kdprune.training.loop import Diverged, fit
from kdprune.training.recipe import Recipe
from kdprune.training.remedies import at_fault


class Rounds:
    """Trains what a method hands it (`kdprune.pruning.trained.Train`), and keeps the curves.

    The n-th round, from 0, has seed n, so that no two see the same order of images, and its
    unfinished work lies where `kept(n)` says. It stays there when the round ends: what is killed
    later takes each finished round's end from there, and trains on from the unfinished one.
    """

    def __init__(
        self,
        data: Mapping[str, torch.Tensor],
        recipe: Recipe,
        *,
        method: str,
        augment: Augment = random_crop_flip,
        kept: Callable[[int], Path | None] = lambda number: None,
        title: str = "",
    ) -> None:
        self.data, self.recipe, self.method = data, recipe, method
        self.augment, self.kept, self.title = augment, kept, title
        size = len(data["train_images"])
        self.batches = size // min(recipe.batch_size, size)
        self.count = 0
        self.spent = 0.0  # epochs of the network alone, in what they cost
        self.rows: list[dict[str, Any]] = []

    def __call__(
        self,
        task: Any,
        *,
        epochs: int,
        lr: float | None = None,
        weight_decay: float | None = None,
        schedule: str | None = None,
    ) -> None:
        """Train `task` in place. Raises KdpruneError where that diverges."""
        number, own = self.count, {"lr": lr, "weight_decay": weight_decay, "schedule": schedule}
        given: dict[str, Any] = {name: held for name, held in own.items() if held is not None}
        recipe = replace(self.recipe, epochs=epochs, seed=number, **given)
        data = self.data
        try:
            rows = fit(
                task.to(data["train_images"].device),
                recipe,
                images=data["train_images"],
                labels=data["train_labels"],
                val_images=data["val_images"],
                val_labels=data["val_labels"],
                mean=data["mean"],
                std=data["std"],
                augment=self.augment,
                checkpoint=self.kept(number),
                title=f"{self.title} round {number + 1}",
            )
        except Diverged as error:
            key = at_fault(recipe)
            section = f"prune.{self.method}" if key in given else "prune.finetune"
            told = f"{section}.{key} = {getattr(recipe, key)}: {error}; lower it"
            raise KdpruneError(told) from None
        self.rows += [{"round": number + 1, **row} for row in rows]
        self.spent += len(rows) * getattr(task, "cost", 1.0)
        self.count += 1

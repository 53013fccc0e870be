"""What the loss of a pruned network is made of: one cut, step by step of what is done about it.

A network loses by what is removed, and wins back by batch norm's statistics, by its head, by all of
its layers, by itself as a teacher; and what its structure alone is worth shows where that is
trained from scratch (Liu et al., "Rethinking the Value of Network Pruning", ICLR 2019,
arXiv:1810.05270).
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from kdprune.data.augment import Augment
from kdprune.distillation import METHODS
from kdprune.errors import KdpruneError
from kdprune.pruning import application
from kdprune.pruning.pruned import Pruned, apply
from kdprune.pruning.scratch import redraw
from kdprune.sweeps.batchnorm import re_estimate
from kdprune.sweeps.finetune import LABELS, FineTune
from kdprune.sweeps.point import right_by_seed
from kdprune.sweeps.tutor import Tutor
from kdprune.training.loop import Diverged, fit
from kdprune.training.recipe import Recipe

Data = Mapping[str, torch.Tensor]
SELF = "kd"  # by which a pruned network learns from itself unpruned
COLUMNS = ["step", "epochs", "val_accuracy", "test_accuracy"]


def attribute(
    model: nn.Module,
    data: Data,
    *,
    method: str,
    level: float,
    hyperparameters: Mapping[str, Any],
    re_estimate_images: int,
    finetune: FineTune,
    taught: Mapping[str, Any],
    original: Recipe,
    trajectory: Path | None = None,
    title: str = "",
) -> pd.DataFrame:
    """Prune `model` to `level`, and measure it after each step: a row each, of COLUMNS.

    Steps: unpruned (as trained), removed (and nothing else), batchnorm (statistics anew from
    `re_estimate_images` images); from there on, each for itself, head, all (layers, by labels) and
    self (all layers, by labels and by `model` as teacher, with the settings `taught` of kd); and
    scratch (the structure with values drawn anew, trained by `original` on labels). Heads and
    layers are tuned as `finetune` says, scope and objective apart, with seed 0; `epochs` are those
    of a step alone. Other arguments as of `kdprune.sweeps.sweep.sweep`. Raises KdpruneError where a
    training diverges.
    """
    rows: list[list[Any]] = []
    tutor, plain = Tutor(model), replace(finetune, objective=LABELS, settings={})
    nothing, head, whole = (replace(plain, scope=scope) for scope in ("none", "head", "all"))

    def note(step: str, pruned: Pruned, tuning: FineTune, epochs: int = 0) -> None:
        right = right_by_seed(pruned, data, [0], tuning, tutor, f"{title} {step}")
        rows.append([step, epochs, *(_percent(right[split]) for split in ("val", "test"))])

    note("unpruned", Pruned(0.0, 0.0, 0.0, model), nothing)
    how = hyperparameters, lambda: data, trajectory, finetune.augment
    pruned = next(application.prune(method, model, [level], *how))
    note("removed", pruned, nothing)
    images, stats = data["train_images"], (data["mean"], data["std"])
    views = finetune.augment
    re_estimate(pruned.model, images, *stats, count=re_estimate_images, augment=views)
    note("batchnorm", pruned, nothing)
    note("head", pruned, head, plain.epochs)
    note("all", pruned, whole, plain.epochs)
    note("self", pruned, replace(whole, objective=SELF, settings=taught), plain.epochs)
    note("scratch", _anew(pruned, data, original, views, title), nothing, original.epochs)
    return pd.DataFrame(rows, columns=COLUMNS)


def _anew(pruned: Pruned, data: Data, recipe: Recipe, augment: Augment, title: str) -> Pruned:
    """Return a pruned network's structure with fresh values, trained on labels."""
    network = copy.deepcopy(pruned.model).requires_grad_(True)
    redraw(network, recipe.seed)
    apply(network, pruned.masks)
    try:
        fit(
            METHODS["none"](network),
            recipe,
            images=data["train_images"],
            labels=data["train_labels"],
            val_images=data["val_images"],
            val_labels=data["val_labels"],
            mean=data["mean"],
            std=data["std"],
            augment=augment,
            title=f"{title} scratch",
        )
    except Diverged as error:
        raise KdpruneError(f"attribute: {title} from scratch: {error}; lower the rate") from None
    return replace(pruned, model=network)


def _percent(right: torch.Tensor) -> float:
    return 100 * right.double().mean().item()

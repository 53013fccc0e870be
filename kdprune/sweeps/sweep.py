"""The sweep: one network, one method, all levels, all seeds, as one tidy table."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from kdprune.files import keep, kept
from kdprune.models import counts
from kdprune.outcomes import packed
from kdprune.pruning import application
from kdprune.pruning.pruned import Pruned
from kdprune.sweeps.batchnorm import re_estimate
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.point import right_by_seed
from kdprune.sweeps.tutor import Tutor


def sweep(
    model: nn.Module,
    data: Mapping[str, torch.Tensor],
    *,
    method: str,
    levels: Sequence[float],
    seeds: int,
    re_estimate_images: int,
    finetune: FineTune,
    hyperparameters: Mapping[str, Any],
    checkpoint: Path | None = None,
    title: str = "",
    tutor: nn.Module | None = None,
    trajectory: Path | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Prune `model` by METHODS[method] to every level, each from the dense network, and tune it.

    `data` holds train_images uint8 [N, 3, H, W], train_labels [N], the same for val and test, and
    mean and std [3], on the model's device. `re_estimate_images`: how many training images
    re-estimate the batch norm (0: none). `finetune` says how each level is tuned; from
    `tutor`, where that is by distillation: by default `model` itself. `trajectory` is
    the folder of what a method left that trains on its way (`pruning.trajectories`). Finished
    levels are kept in `checkpoint`, from which a killed sweep goes on. Returns one row per level
    and seed
    (seed, level, ratio, sparsity, params, nonzero_params, macs, val_accuracy, test_accuracy in
    percent, and val_right: which validation images are classified rightly, by kdprune.outcomes)
    and one row per level and layer (level, layer, kind, params, nonzero_params, and reached_params,
    those of the latter that some pixel reaches).
    """
    done = _finished(checkpoint)
    todo = [level for level in levels if str(level) not in done]
    learned_from = Tutor(tutor or model)
    how = hyperparameters, lambda: data, trajectory, finetune.augment
    for pruned in application.prune(method, model, todo, *how):
        if re_estimate_images:
            re_estimate(
                pruned.model,
                data["train_images"],
                data["mean"],
                data["std"],
                count=re_estimate_images,
                augment=finetune.augment,
            )
        right = right_by_seed(pruned, data, range(seeds), finetune, learned_from, title)
        done[str(pruned.level)] = _rows(pruned, right)
        mean = sum(_percent(right["val"])) / seeds
        print(
            f"{title}: {pruned.sparsity:.0%} of the weights gone, {pruned.nonzero_params:,} "
            f"parameters left, val {mean:.1f} % (n = {seeds})",
            file=sys.stderr,
            flush=True,
        )
        if checkpoint is not None:
            keep(checkpoint, json.dumps(done).encode())
    ordered = [done[str(level)] for level in levels]
    rows = [row for item in ordered for row in item["rows"]]
    layers = [row for item in ordered for row in item["layers"]]
    return pd.DataFrame(rows), pd.DataFrame(layers)


def _finished(checkpoint: Path | None) -> dict[str, Any]:
    content = None if checkpoint is None else kept(checkpoint)
    return {} if content is None else json.loads(content)


def _rows(pruned: Pruned, right: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    shared = {
        "level": pruned.level,
        "ratio": pruned.ratio,
        "sparsity": pruned.sparsity,
        "params": pruned.params,
        "nonzero_params": pruned.nonzero_params,
        "macs": counts.macs(pruned.model),
    }
    accuracies = zip(_percent(right["val"]), _percent(right["test"]), strict=True)
    reached = pruned.reached_params()
    words = map(packed, right["val"].cpu().numpy())
    return {
        "rows": [
            {"seed": seed, **shared, "val_accuracy": val, "test_accuracy": test, "val_right": word}
            for seed, ((val, test), word) in enumerate(zip(accuracies, words, strict=True))
        ],
        "layers": [
            {"level": pruned.level, **row, "reached_params": reached[row["layer"]]}
            for row in pruned.layers
        ],
    }


def _percent(right: torch.Tensor) -> list[float]:
    """Return the accuracy of each seed, for bool [S, N]."""
    return (100 * right.sum(1).double() / right.shape[1]).tolist()

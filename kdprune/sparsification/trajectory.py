"""A trajectory: one network taken through all levels by a method that trains on its way."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from kdprune.models import counts
from kdprune.pruning import application, trajectories
from kdprune.sparsification.rounds import Rounds

CURVE = ["level", "round", "epoch", "step", "lr", "train_loss", "val_accuracy"]


def sparsify(
    model: nn.Module,
    data: Mapping[str, torch.Tensor],
    levels: Sequence[float],
    hyperparameters: Mapping[str, Any],
    rounds: Rounds,
    *,
    folder: Path,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take `model` through `levels` by the method of `rounds`, and write each into `folder`.

    `data` as of `kdprune.sweeps.sweep.sweep`, on the model's device. Returns the levels: level,
    sparsity, params, nonzero_params, macs, epochs (trained since the level before) and note (what
    the method tells of it); and the learning curves: level, round and what `fit` tells of an epoch.
    """
    rows, curve, seen = [], [], 0
    told = levels, hyperparameters, lambda: data
    for pruned in application.sparsify(rounds.method, model, *told, rounds):
        trajectories.store(folder, pruned, model)
        fresh, seen = rounds.rows[seen:], len(rounds.rows)
        curve += [{"level": pruned.level, **row} for row in fresh]
        rows.append(
            {
                "level": pruned.level,
                "sparsity": pruned.sparsity,
                "params": pruned.params,
                "nonzero_params": pruned.nonzero_params,
                "macs": counts.macs(pruned.model),
                "epochs": len(fresh),
                "note": pruned.note,
            }
        )
        print(
            f"{rounds.title}: {pruned.sparsity:.0%} of the weights gone, "
            f"{pruned.nonzero_params:,} parameters left {pruned.note}".rstrip(),
            file=sys.stderr,
            flush=True,
        )
    return pd.DataFrame(rows), pd.DataFrame(curve, columns=CURVE)

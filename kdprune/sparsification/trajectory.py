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
from kdprune.pruning.pruned import Pruned
from kdprune.sparsification.rounds import Rounds

LEVEL = ["level", "sparsity", "params", "nonzero_params", "macs", "epochs", "spent", "note"]
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
    sparsity, params, nonzero_params, macs, epochs (trained since the level before), spent (what the
    level's network has cost since the dense one, in epochs of that alone) and note (what the method
    tells of it); and the learning curves: level, round and what `fit` tells of an epoch. A level
    that the method cannot reach has a row with a note and nothing else. Raises KdpruneError where
    it reaches none.
    """
    reached, most = application.within(rounds.method, model, levels)
    trajectories.declare(folder, reached, levels, most)
    rows, curve, seen, before = [], [], 0, 0.0
    told = reached, hyperparameters, lambda: data
    for pruned in application.sparsify(rounds.method, model, *told, rounds):
        trajectories.store(folder, pruned, model)
        fresh, seen = rounds.rows[seen:], len(rounds.rows)
        curve += [{"level": pruned.level, **row} for row in fresh]
        rows.append(_row(pruned, epochs=len(fresh), spent=rounds.spent - before))
        if application.anew(rounds.method):
            before = rounds.spent
        print(
            f"{rounds.title}: {pruned.sparsity:.0%} of the weights gone, "
            f"{pruned.nonzero_params:,} parameters left {pruned.note}".rstrip(),
            file=sys.stderr,
            flush=True,
        )
    note = f"out of reach: {most:.1%} of the weights can go"
    rows += [{"level": level, "note": note} for level in levels if level not in reached]
    table = pd.DataFrame(rows, columns=LEVEL)
    whole = dict.fromkeys(["params", "nonzero_params", "macs", "epochs"], "Int64")
    return table.astype(whole), pd.DataFrame(curve, columns=CURVE)


def _row(pruned: Pruned, *, epochs: int, spent: float) -> dict[str, Any]:
    return {
        "level": pruned.level,
        "sparsity": pruned.sparsity,
        "params": pruned.params,
        "nonzero_params": pruned.nonzero_params,
        "macs": counts.macs(pruned.model),
        "epochs": epochs,
        "spent": spent,
        "note": pruned.note,
    }

"""Iterative magnitude pruning: remove, retrain what is left from its values, remove more.

Han et al., "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015,
arXiv:1506.02626: a threshold of q standard deviations in every layer, masks that stay, retraining
at a low rate. Here one q serves all layers, which makes levels exact; the authors' q by layer,
their scan for it, and their dropout that falls with the weights left are not built. Its control is
`weight` in one shot with `prune.finetune.scope: all` and as many epochs.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from kdprune.methods import checked
from kdprune.models import counts
from kdprune.pruning import unstructured
from kdprune.pruning.pruned import Masks, Pruned
from kdprune.pruning.scores import Scores
from kdprune.pruning.trained import OnLabels, Train


@checked
def prune(
    model: nn.Module,
    levels: Sequence[float],
    *,
    train: Train,
    input_size: int = 32,
    scope: Literal["std", "layer", "global"] = "std",
    epochs: Annotated[int, Field(ge=1, le=10000)] = 3,
    lr: Annotated[float, Field(gt=0, le=1000000, allow_inf_nan=False)] | None = None,
) -> Iterator[Pruned]:
    """Yield `model` at each of the rising levels, each trained on from the one before.

    Of the weights that are left, those of the smallest absolute value go: in units of the standard
    deviation of what is left of their layer (scope std), in each layer alike, or of all. Counts are
    exact (`unstructured.remove`), masks nested. Then all layers are trained for `epochs` at `lr`
    (None: prune.finetune.lr) on labels. Level 0 is `model` as it is.
    """
    network, masks = copy.deepcopy(model).requires_grad_(True), Masks()
    for level in levels:
        scores = _of_survivors(network, masks, scope)
        ranking = "layer" if scope == "layer" else "global"
        pruned = next(unstructured.remove(network, [level], scores, scope=ranking))
        if pruned.masks:
            train(OnLabels(pruned.model), epochs=epochs, lr=lr)
        network, masks = pruned.model, pruned.masks
        yield pruned


def spent(rises: int, given: Mapping[str, Any]) -> float:
    """Return the epochs of plain training that `rises` levels cost: retraining at each level."""
    return rises * given["epochs"]


def _of_survivors(network: nn.Module, masks: Masks, scope: str) -> Scores:
    """Rank weights by absolute value, those that are gone first of all."""
    order, rising = {}, {}
    for name, layer in counts.prunable(network).items():
        values = layer.weight.detach().double().flatten()
        alive = masks.get(f"{name}.weight", torch.ones_like(layer.weight, dtype=torch.bool))
        alive = alive.flatten()
        left = values[alive]
        deviation = left.std(correction=0) if scope == "std" and len(left) else 0
        scaled = values.abs() / (deviation if deviation > 0 else 1)
        scaled[~alive] = -1  # below zero: a weight may come to 0 and be alive
        order[name] = scaled.argsort(stable=True)
        rising[name] = scaled[order[name]]
    return Scores(order, rising)

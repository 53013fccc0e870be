"""Weights that go by a ranking within each layer, as many of each layer as a scope says.

What goes first within a layer is a criterion's matter (`scores`), how many of each layer a scope's
(`scopes`); here both are brought together, counted and cut.
"""

import copy
import math
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.pruning.pruned import Pruned, apply
from kdprune.pruning.scopes import SCOPES
from kdprune.pruning.scores import Scores
from kdprune.pruning.transformed import refuse_transformed


def remove(
    model: nn.Module,
    levels: Sequence[float],
    scores: Scores,
    *,
    scope: str,
    floor: float = 0.0,
    key: str = "prune.weight",
) -> Iterator[Pruned]:
    """Yield `model` pruned to each level, from level to level without compounding.

    Prunable are the weights of convolutions and linear layers, not biases, not batch norm. scope
    "layer": exactly round(level * n) of each layer's n weights. Any other: exactly round(level * N)
    of all N weights in one ranking, in which the k-th weight that a layer loses stands where SCOPES
    puts it, but at least the share `floor` of each layer stays. Ties go by position, so that the
    masks of rising levels are nested. Raises KdpruneError for layers that do not multiply by the
    weights that they store, and where `floor`, of the parameters `key`, leaves too few to remove.
    """
    weights = {name: layer.weight.detach() for name, layer in counts.prunable(model).items()}
    joint = None if scope == "layer" else _joint_ranking(weights, scores, scope, floor)
    refuse_transformed(model)
    total = sum(weight.numel() for weight in weights.values())
    for level in levels:
        if joint is None:
            removed = {name: round(level * weight.numel()) for name, weight in weights.items()}
        else:
            _demand(round(level * total), len(joint), floor, key)
            if joint.is_meta:  # shapes alone: no layer is known to lose more than another
                joint = joint.new_empty(0, device="cpu")
            counted = torch.bincount(joint[: round(level * total)], minlength=len(weights))
            removed = dict(zip(weights, counted.tolist(), strict=True))
        yield _cut(model, weights, scores.order, removed, level=level, total=total)


def _cut(
    model: nn.Module,
    weights: dict[str, torch.Tensor],
    order: dict[str, torch.Tensor],
    removed: dict[str, int],
    *,
    level: float,
    total: int,
) -> Pruned:
    pruned = copy.deepcopy(model)
    masks, rows = {}, []
    for name, layer in counts.prunable(model).items():
        keep = torch.ones(weights[name].numel(), dtype=torch.bool, device=weights[name].device)
        keep[order[name][: removed[name]]] = False
        if removed[name]:  # level 0 has no masks: nothing at all is touched
            masks[f"{name}.weight"] = keep.view_as(weights[name])
        rows.append(
            {
                "layer": name,
                "kind": counts.kind(layer),
                "params": keep.numel(),
                "nonzero_params": keep.numel() - removed[name],
            }
        )
    apply(pruned, masks)
    sparsity = sum(removed.values()) / total
    return Pruned(level, level, sparsity, pruned, masks, rows)


def _joint_ranking(
    weights: dict[str, torch.Tensor], scores: Scores, scope: str, floor: float
) -> torch.Tensor:
    """Return the layer of each weight that may go, by rising place over all layers."""
    places, owners = [], []
    for index, (name, weight) in enumerate(weights.items()):
        count = weight.numel() - math.ceil(floor * weight.numel())
        places.append(SCOPES[scope](scores.rising[name], weight)[:count])
        owners.append(torch.full((count,), index, device=weight.device))
    order = torch.cat(places).argsort(stable=True)
    return torch.cat(owners)[order]


def _demand(count: int, most: int, floor: float, key: str) -> None:
    if count > most:
        raise KdpruneError(
            f"{key}.floor = {floor}: leaves {most:,} weights to remove, fewer than "
            f"the {count:,} of the highest level; lower the floor or the level"
        )

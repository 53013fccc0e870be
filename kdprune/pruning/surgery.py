"""What stays of each layer, and the two ways to bring it about: cutting out and zeroing."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from kdprune.device import arrange
from kdprune.pruning.groups import IN, Group
from kdprune.pruning.pruned import apply

Kept = dict[tuple[str, str], np.ndarray]  # (layer, side) -> True per index that stays


def kept_after(groups: list[Group], ranked: list[np.ndarray], order: Sequence[int]) -> Kept:
    """Return what stays of each layer's sides when the groups in `order` lose a channel each."""
    lost = np.bincount(np.asarray(order, int), minlength=len(groups))
    kept: Kept = {}
    for group, scores, count in zip(groups, ranked, lost, strict=True):
        gone = np.zeros(group.size, bool)
        gone[scores[:count]] = True
        for site in group.sites:
            side = kept.setdefault((site.layer, site.side), np.ones(site.width, bool))
            side[site.indices[gone[site.channels]]] = False
    return kept


def cut(model: nn.Module, groups: list[Group], kept: Kept) -> None:
    """Cut what is not kept out of `model`, each side of each layer once, by Torch-Pruning."""
    surgery = {(site.layer, site.side): site.cut for group in groups for site in group.sites}
    for (name, side), keep in kept.items():
        gone = np.flatnonzero(~keep).tolist()
        if gone:
            surgery[name, side](model.get_submodule(name), gone)
    arrange(model)  # what is cut is stored anew


def mask(model: nn.Module, kept: Kept) -> dict[str, torch.Tensor]:
    """Zero the filters that are not kept, their biases and their batch norm."""
    masks: dict[str, torch.Tensor] = {}
    for (name, side), keep in kept.items():
        if side == IN:  # fed by zeros: the weights there do nothing, and are not counted
            continue
        for part, parameter in model.get_submodule(name).named_parameters(recurse=False):
            alive = torch.as_tensor(keep, device=parameter.device)
            shape = [-1] + [1] * (parameter.dim() - 1)
            keeps = alive.view(shape).expand_as(parameter).contiguous()
            if not keeps.all():
                masks[f"{name}.{part}"] = keeps
    apply(model, masks)
    return masks

"""Which channels of a group go first.

A group's score is the sum over the filters that make its channel, of the score that a criterion
gives each filter of a layer. Scores are compared within a group only, never between groups.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from kdprune.pruning import calibration
from kdprune.pruning.groups import Group
from kdprune.pruning.norms import norm_behind

PerFilter = Callable[[str, nn.Module], torch.Tensor]  # a layer's name and itself -> [filters]
Rank = Callable[[nn.Module, Sequence[Group]], list[np.ndarray]]


def chosen(
    criterion: str,
    *,
    data: Mapping[str, torch.Tensor] | None = None,
    seed: int = 0,
    images: int = 1024,
    input_size: int = 32,
) -> Rank:
    """Return what ranks all groups of a network by a criterion: per group, channels as they go.

    `data` and `images` are for taylor (see `calibration`), `seed` for random. Raises KdpruneError,
    when it ranks, for taylor without data.
    """

    def rank(model: nn.Module, groups: Sequence[Group]) -> list[np.ndarray]:
        if criterion == "random":
            generator = torch.Generator().manual_seed(seed)
            return [torch.randperm(group.size, generator=generator).numpy() for group in groups]
        if criterion in OF_FILTERS:
            per_filter = OF_FILTERS[criterion]
        else:
            behind = norm_behind(model, input_size)
            if criterion == "bn":
                return [ranking(model, group, scale(model, group, behind)) for group in groups]
            scores = taylor(model, behind, data, images=images)
            per_filter = lambda name, layer: scores[name]  # noqa: E731
        return [ranking(model, group, per_filter) for group in groups]

    return rank


def l1(name: str, layer: nn.Module) -> torch.Tensor:
    """Return each filter's L1 norm (Li et al., ICLR 2017, arXiv:1608.08710)."""
    return layer.weight.detach().abs().flatten(1).double().sum(1)


def l2(name: str, layer: nn.Module) -> torch.Tensor:
    """Return each filter's squared L2 norm."""
    return layer.weight.detach().flatten(1).double().square().sum(1)


def fpgm(name: str, layer: nn.Module) -> torch.Tensor:
    """Return the sum of each filter's Euclidean distances to all filters of its layer.

    He et al., "Filter Pruning via Geometric Median", CVPR 2019, arXiv:1811.00250; of the filters
    themselves, where some libraries take distances between their squares.
    """
    filters = layer.weight.detach().flatten(1).double()
    squares = filters.square().sum(1)
    apart = (squares.unsqueeze(1) + squares - 2 * filters @ filters.T).clamp(min=0)
    return apart.fill_diagonal_(0).sqrt().sum(1)


OF_FILTERS: dict[str, PerFilter] = {"l1": l1, "l2": l2, "fpgm": fpgm}


def scale(model: nn.Module, group: Group, behind: Mapping[str, str]) -> PerFilter:
    """Return abs(γ) of the batch norm behind each filter (Liu et al., ICCV 2017, arXiv:1708.06519).

    Without sparse training it says little. Of a group some of whose layers have no batch norm of
    their own, only the others count; where none has, its channels go by L1 norm.
    """
    if not any(site.layer in behind for _, site in group.producers(model)):
        return l1

    def per_filter(name: str, layer: nn.Module) -> torch.Tensor:
        if name not in behind:
            return layer.weight.new_zeros(len(layer.weight), dtype=torch.float64)
        return model.get_submodule(behind[name]).weight.detach().abs().double()

    return per_filter


def taylor(
    model: nn.Module,
    behind: Mapping[str, str],
    data: Mapping[str, torch.Tensor] | None,
    *,
    images: int,
) -> dict[str, torch.Tensor]:
    """Return per layer the mean over mini-batches of each filter's squared first-order change.

    `behind` names the batch norm behind a layer, where it has one (`norms.norm_behind`).
    """
    sums: dict[str, torch.Tensor] = {}
    batches = 0
    for network in calibration.differentiated(model, data, images=images):
        for name, change in changes(network, behind).items():
            sums[name] = sums.get(name, 0) + change.square()
        batches += 1
    return {name: total / batches for name, total in sums.items()}


def changes(network: nn.Module, behind: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Return by layer how the loss changes with each filter, to first order, from its gradients.

    Behind batch norm the sum over images and positions of a da, a the activation, is γ dγ + β dβ:
    the gate of Molchanov et al., without a hook. γ dγ alone forgets the shift. A layer without
    batch norm has Σ abs(w dw) over each filter. Always of the loss's mean over the images.
    """
    scored = {}
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        if name in behind:
            norm = network.get_submodule(behind[name])
            scored[name] = _product(norm.weight) + _product(norm.bias)
        else:
            scored[name] = _product(layer.weight).abs().flatten(1).sum(1)
    return scored


def _product(parameter: torch.Tensor) -> torch.Tensor:
    """Return w dw; nothing reaches the loss through a parameter without a gradient."""
    if parameter.grad is None:
        return torch.zeros_like(parameter, dtype=torch.float64).detach()
    return parameter.detach().double() * parameter.grad.double()


def ranking(model: nn.Module, group: Group, per_filter: PerFilter = l1) -> np.ndarray:
    """Return a group's channels by rising score of the filters that make them."""
    scores = np.zeros(group.size)
    for layer, site in group.producers(model):
        values = per_filter(site.layer, layer).cpu().numpy()
        np.add.at(scores, site.channels, values[site.indices])
    return np.argsort(scores, kind="stable")

"""Channels inside a block: made by one convolution, and read by one other alone.

What such a channel is worth shows in the one layer that reads it, and it can go without touching
what flows past the block. A depthwise convolution between the two belongs to the channel.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.pruning import groups, structured
from kdprune.pruning.groups import IN, Group
from kdprune.pruning.norms import norm_behind
from kdprune.pruning.pruned import Pruned
from kdprune.pruning.surgery import Kept, cut, kept_after
from kdprune.pruning.transformed import refuse_transformed


@dataclass(frozen=True)
class Inner:
    """A group of channels inside a block: the convolution that reads them, and its batch norm.

    `norm` is "" where the reader has none of its own, as where its outputs are concatenated first.
    `places` [inputs of the reader] are the channels that its inputs stand for, in their order.
    """

    group: Group
    reader: str
    norm: str
    places: torch.Tensor


def find(model: nn.Module, input_size: int = 32) -> list[Inner]:
    """Return the groups inside blocks.

    Raises KdpruneError for networks that cannot be followed (`groups.find`), and without any.
    """
    refuse_transformed(model)
    behind = norm_behind(model, input_size)
    inner = []
    for group in groups.find(model, input_size):
        readers = [site for site in group.sites if site.side == IN]
        makers = [site for layer, site in group.producers(model) if _mixes(layer)]
        if len(readers) != 1 or len(makers) != 1 or group.size < 2:
            continue
        site, layer = readers[0], model.get_submodule(readers[0].layer)
        plain = isinstance(layer, nn.Conv2d) and layer.groups == 1
        if not plain or len(site.indices) != layer.in_channels:
            continue
        places = torch.empty(layer.in_channels, dtype=torch.long)
        places[torch.from_numpy(site.indices)] = torch.from_numpy(site.channels)
        inner.append(Inner(group, site.layer, behind.get(site.layer, ""), places))
    if not inner:
        raise KdpruneError(
            f"prune.method: {type(model).__name__} has no channels that one convolution makes and "
            "one other reads; use another method"
        )
    return inner


def _mixes(layer: nn.Module) -> bool:
    """Whether a layer makes channels of other channels, as a depthwise convolution does not."""
    return isinstance(layer, nn.Linear) or getattr(layer, "groups", 1) == 1


def kept(inner: Sequence[Inner], alive: Sequence[torch.Tensor]) -> Kept:
    """Return what stays of each layer's sides where `alive` [channels] says so, by group."""
    ranked = [mask.cpu().int().argsort(stable=True).numpy() for mask in alive]
    order = [n for n, mask in enumerate(alive) for _ in range(int((~mask).sum()))]
    return kept_after([one.group for one in inner], ranked, order)


def gone(model: nn.Module, inner: Sequence[Inner], alive: Sequence[torch.Tensor]) -> float:
    """Return the share of the network's prunable weights that goes with the channels not alive."""
    layers = counts.prunable(model)
    lost = structured.removed_weights(layers, kept(inner, alive))
    return sum(lost.values()) / sum(layer.weight.numel() for layer in layers.values())


def most_of(model: nn.Module, inner: Sequence[Inner]) -> float:
    """Return the share of the weights that is gone with one channel left in every group."""
    return gone(model, inner, [torch.arange(one.group.size) == 0 for one in inner])


def reach(model: nn.Module, input_size: int = 32) -> float:
    """Return the highest level that channels inside blocks can reach; raises as `find` does."""
    return most_of(model, find(model, input_size))


def demand(model: nn.Module, inner: Sequence[Inner], levels: Sequence[float], method: str) -> None:
    """Raise KdpruneError where a level is out of reach with one channel left in every group."""
    most, highest = most_of(model, inner), max(levels, default=0)
    if highest > most:
        raise KdpruneError(
            f"prune.levels: {method} cuts channels inside blocks, which are {most:.1%} of this "
            f"network's weights at most, not {highest:.1%}; drop that level"
        )


def pruned(
    dense: nn.Module,
    state: Mapping[str, torch.Tensor],
    inner: Sequence[Inner],
    alive: Sequence[torch.Tensor],
    *,
    level: float,
    note: str = "",
) -> Pruned:
    """Return a network of the tensors `state`, without the channels that are not alive."""
    network, left = copy.deepcopy(dense), kept(inner, alive)
    network.load_state_dict(state)
    cut(network, [one.group for one in inner], left)
    layers, size = counts.prunable(dense), sum(len(mask) for mask in alive)
    removed = structured.removed_weights(layers, left)
    sparsity = sum(removed.values()) / sum(layer.weight.numel() for layer in layers.values())
    ratio = 1 - sum(int(mask.sum()) for mask in alive) / size
    rows = structured.rows(layers, removed)
    return Pruned(level, ratio, sparsity, network.eval(), {}, rows, left, note)


def read_by_relu(model: nn.Module, input_size: int = 32) -> set[str]:
    """Return the batch norms whose very output enters a ReLU, seen in one pass."""
    # The tensor is held, lest its id be another's; its version tells that nothing was added to it
    made: dict[int, tuple[str, torch.Tensor, int]] = {}
    read: set[str] = set()
    hooks = []

    def give(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: torch.Tensor) -> None:
            made[id(output)] = name, output, output._version

        return hook

    def take(layer: nn.Module, inputs: Any) -> None:
        name, _, version = made.get(id(inputs[0]), ("", None, -1))
        if inputs[0]._version == version:
            read.add(name)

    for name, layer in model.named_modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            hooks.append(layer.register_forward_hook(give(name)))
        elif isinstance(layer, nn.ReLU):
            hooks.append(layer.register_forward_pre_hook(take))
    training, parameter = model.training, next(model.parameters())
    try:
        with torch.no_grad():
            model.eval()(parameter.new_zeros(1, 3, input_size, input_size))
    finally:
        model.train(training)
        for handle in hooks:
            handle.remove()
    return read

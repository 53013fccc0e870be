"""Which channels of which layers are coupled, read from Torch-Pruning's dependency graph.

Torch-Pruning lists whole groups too, but there an index that is reached from two channels keeps the
first one only, and the list grows without end in some networks. Here every index of every layer is
visited once, and channels that meet in one index become one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from kdprune.pruning.graph import SECONDS, dependency_graph
from kdprune.pruning.groups import IN, OUT, Group, Site

Reached = dict[tuple[int, Callable[..., Any]], tuple[Any, dict[int, int]]]


class Index(NamedTuple):
    """An index of a layer's side and the root's channel that it stands for, as the graph maps."""

    idx: int
    root_idx: int


def trace(model: nn.Module, input_size: int, seconds: float = SECONDS) -> list[Group]:
    """Return the groups of coupled channels whose layers can all be cut.

    Channels are convolutions', linear layers' and batch norms'; a group that touches any other
    layer or parameter with a channel dimension is left out, and so are groups that claim one
    index of a layer both. Raises KdpruneError where Torch-Pruning cannot trace the network, or not
    within `seconds`.
    """
    graph = dependency_graph(model, input_size, seconds)
    names = {module: name for name, module in model.named_modules()}
    classifier = model.get_classifier()
    visited: set[Any] = {classifier}
    groups = []
    for root in list(graph.module2node):
        if not isinstance(root, nn.Conv2d | nn.Linear) or root in visited:
            continue
        reached, leaders = _reach(graph, root)
        makers = {
            node.module for (_, handler), (node, _) in reached.items() if _out(graph, handler)
        }
        visited |= makers
        if classifier in makers:
            continue
        sites = _sites(graph, reached, names)
        if sites is not None:
            groups.append(_group(sites, leaders, model))
    return _disjoint(groups)


def _out(graph: Any, handler: Callable[..., Any]) -> bool:
    return bool(graph.is_out_channel_pruning_fn(handler))


def _reach(graph: Any, root: nn.Module) -> tuple[Reached, list[int]]:
    """Follow the root's outputs through the graph.

    Returns what each node and side was reached at, {index: root's channel}, in the order in which
    Torch-Pruning lists them, and per channel of the root the least one that it is coupled with.
    """
    pruner = graph.get_pruner_of_module(root)
    start = [Index(i, i) for i in range(pruner.get_out_channels(root))]
    leaders = list(range(len(start)))
    node, handler = graph.module2node[root], pruner.prune_out_channels
    reached: Reached = {(id(node), handler): (node, {i: i for i in leaders})}
    stack = [(node, handler, start)]
    while stack:
        node, handler, indices = stack.pop()
        for dependency in node.dependencies:
            if not dependency.is_triggered_by(handler):
                continue
            mapped = indices
            for mapping in dependency.index_mapping:
                if mapping is not None:
                    mapped = mapping(mapped)
            key = (id(dependency.target), dependency.handler)
            _, known = reached.setdefault(key, (dependency.target, {}))
            new = _unknown(known, mapped, leaders)
            if new:
                stack.append((dependency.target, dependency.handler, new))
    return {key: entry for key, entry in reached.items() if entry[1]}, leaders


def _unknown(known: dict[int, int], mapped: list[Any], leaders: list[int]) -> list[Any]:
    """Add what is not known, and return it; join the channels of what is."""
    entries = dict(mapped)
    if not known and len(entries) == len(mapped):  # the common case, at once
        known.update(entries)
        return mapped
    if len(entries) == len(mapped) and entries.items() <= known.items():  # the next common one
        return []
    new = []
    for index in mapped:
        if index.idx in known:
            _join(leaders, known[index.idx], index.root_idx)
        else:
            known[index.idx] = index.root_idx
            new.append(index)
    return new


def _sites(graph: Any, reached: Reached, names: dict[nn.Module, str]) -> list[Site] | None:
    """Return the sides of layers that were reached; None where one cannot be cut."""
    sites = []
    for (_, handler), (node, known) in reached.items():
        module = node.module
        if module not in names:
            if isinstance(module, nn.Parameter):
                return None
            continue  # an operation without parameters, such as an addition
        if not isinstance(module, nn.Conv2d | nn.Linear | nn.modules.batchnorm._BatchNorm):
            if any(True for _ in module.parameters(recurse=False)):
                return None
            continue
        side = OUT if _out(graph, handler) else IN
        if isinstance(module, nn.modules.batchnorm._BatchNorm) or _is_depthwise(module):
            side = OUT  # one index, both sides
        width = _width(module, side)
        indices, channels = np.asarray(list(known)), np.asarray(list(known.values()))
        if indices.min() < 0 or indices.max() >= width:
            return None
        sites.append(Site(names[module], side, width, channels, indices, cut=handler))
    return sites


def _group(sites: list[Site], leaders: list[int], model: nn.Module) -> Group:
    """Make one channel of those that are coupled: by one index, or by a grouped convolution.

    A grouped convolution has as many inputs, and as many outputs, in every group: its groups lose
    the same places.
    """
    for site in sites:
        layer = model.get_submodule(site.layer)
        if isinstance(layer, nn.Conv2d) and layer.groups > 1 and not _is_depthwise(layer):
            first: dict[int, int] = {}
            places = site.indices % (site.width // layer.groups)
            for place, channel in zip(places.tolist(), site.channels.tolist(), strict=True):
                _join(leaders, first.setdefault(place, channel), channel)
    roots = [_leader(leaders, channel) for channel in range(len(leaders))]
    number = {root: position for position, root in enumerate(dict.fromkeys(roots))}
    renumbered = np.asarray([number[root] for root in roots])
    return Group(
        size=len(number),
        sites=[
            Site(
                site.layer, site.side, site.width, renumbered[site.channels], site.indices, site.cut
            )
            for site in sites
        ],
    )


def _disjoint(groups: list[Group]) -> list[Group]:
    """Leave out groups that claim one index of one side of a layer both."""
    owners: dict[tuple[str, str], np.ndarray] = {}
    disputed: set[int] = set()
    for number, group in enumerate(groups):
        for site in group.sites:
            owner = owners.setdefault((site.layer, site.side), np.full(site.width, -1))
            others = set(owner[site.indices].tolist()) - {-1, number}
            disputed |= {number, *others} if others else set()
            owner[site.indices] = number
    return [group for number, group in enumerate(groups) if number not in disputed]


def _join(leaders: list[int], one: int, two: int) -> None:
    one, two = _leader(leaders, one), _leader(leaders, two)
    leaders[max(one, two)] = min(one, two)


def _leader(leaders: list[int], channel: int) -> int:
    while leaders[channel] != channel:
        channel = leaders[channel]
    return channel


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == module.out_channels > 1


def _width(module: nn.Module, side: str) -> int:
    if isinstance(module, nn.Conv2d):
        return module.out_channels if side == OUT else module.in_channels
    if isinstance(module, nn.Linear):
        return module.out_features if side == OUT else module.in_features
    return int(module.num_features)

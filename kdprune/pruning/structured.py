"""Channels that are cut out or masked by a ranking within each group, with all that is coupled.

Which channels of a group go first is a criterion's matter (`criteria`); here every group loses the
same share of them, and what goes with them is counted and cut.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from torch import nn

from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.pruning import groups, trial
from kdprune.pruning.criteria import Rank
from kdprune.pruning.groups import IN, OUT, Group
from kdprune.pruning.pruned import Pruned
from kdprune.pruning.surgery import Kept, cut, kept_after, mask
from kdprune.pruning.transformed import refuse_transformed

FARTHEST = 0.05  # of all weights: a network further from its level would be called by a wrong name


def remove(
    model: nn.Module,
    levels: Sequence[float],
    rank: Rank,
    *,
    input_size: int = 32,
    mode: str = "remove",
    round_to: int = 1,
) -> Iterator[Pruned]:
    """Yield `model` with channels pruned to each level.

    Every group loses the same share of its channels, as near as whole channels allow, and keeps
    at least one; rising levels are nested. mode "remove": the channels are cut out, with the
    inputs that they fed, the network is a smaller dense one, and a level is a share of all its
    prunable weights. mode "mask": the filters and their batch norm are zeroed, shapes stay, and a
    level is a share of the weights of those filters that can go: the classifier has none, nor has
    what enters a reused one. Kept alike, both give the same outputs. The level is met within one
    channel of one group. `round_to` above 1: a group keeps a multiple of so many channels, or all
    of them, and the level is met as near as that allows. Raises KdpruneError, before anything is
    yielded, for networks that cannot be followed, for levels out of reach with one channel (or
    `round_to`) left in every group, and for levels of which rounding stays further away than
    FARTHEST.
    """
    refuse_transformed(model)
    all_groups = groups.find(model, input_size)
    ranked = rank(model, all_groups)
    order, stops = removal_order([group.size for group in all_groups], round_to)
    removed_by = removed_weights if mode == "remove" else _masked_weights
    layers = counts.prunable(model)
    total = sum(layer.weight.numel() for layer in layers.values())
    whole = total if mode == "remove" else _maskable(layers, all_groups)

    def removed_after(steps: int) -> int:
        return sum(removed_by(layers, kept_after(all_groups, ranked, order[:steps])).values())

    most = removed_after(len(order))
    highest = max(levels, default=0)
    if highest * whole > most:
        raise KdpruneError(
            f"prune.levels: channel pruning ({mode}) can remove {most / whole:.1%} of this "
            f"network's weights at most, not {highest:.1%}; drop that level"
            + (f", or lower round_to = {round_to}" if round_to > 1 else "")
        )

    def steps_to(level: float) -> int:
        return stops[_steps_to(level * whole, len(stops) - 1, lambda at: removed_after(stops[at]))]

    for level in levels if round_to > 1 else ():
        share = removed_after(steps_to(level)) / whole
        if abs(share - level) > FARTHEST:
            raise KdpruneError(
                f"prune.levels: level {level:g} is out of reach with channels in multiples of "
                f"{round_to} (round_to): the nearest network has lost {share:.1%} of its weights; "
                "drop that level, or lower round_to"
            )
    for level in levels:
        steps = steps_to(level)
        kept = kept_after(all_groups, ranked, order[:steps])
        removed = removed_by(layers, kept)
        pruned, masks = copy.deepcopy(model), {}
        if steps:
            if mode == "remove":
                cut(pruned, all_groups, kept)
                trial.run(pruned, input_size)
            else:
                masks = mask(pruned, kept)
        ratio = _share(order[:steps], [group.size for group in all_groups])
        sparsity = sum(removed.values()) / total
        yield Pruned(level, ratio, sparsity, pruned, masks, rows(layers, removed), kept)


def rows(layers: counts.Layers, removed: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return `Pruned.layers` of a network whose dense layers lost so many weights each."""
    return [
        {
            "layer": name,
            "kind": counts.kind(layer),
            "params": layer.weight.numel(),
            "nonzero_params": layer.weight.numel() - removed[name],
        }
        for name, layer in layers.items()
    ]


def removal_order(sizes: Sequence[int], round_to: int = 1) -> tuple[list[int], list[int]]:
    """Return which group loses its next channel, step by step, so that shares rise together, and
    the numbers of steps after which every group holds a multiple of `round_to`, or all it had.

    Channels that go at once do so at the middle of their shares: the k-th of a group of n, where
    each goes alone, at (k - 1/2) / n, as rounding would have it. The last `round_to` channels of a
    group stay.
    """
    blocks = []
    for group, n in enumerate(sizes):
        kept = [n, *range((n - 1) // round_to * round_to, 0, -round_to)]
        for before, after in pairwise(kept):
            middle = ((n - before) + (n - after)) / 2
            blocks.append((middle / n, group, before - after))
    blocks.sort()
    order = [group for _, group, lost in blocks for _ in range(lost)]
    return order, [0, *accumulate(lost for _, _, lost in blocks)]


def removed_weights(layers: counts.Layers, kept: Kept) -> dict[str, int]:
    """Count the weights that go with removed outputs and inputs."""
    removed = {}
    for name, layer in layers.items():
        rows, columns = layer.weight.shape[:2]
        if (name, OUT) in kept:
            rows = int(kept[name, OUT].sum())
        if (name, IN) in kept:
            columns = int(kept[name, IN][:columns].sum())  # of one group, where there are several
        taps = layer.weight[0, 0].numel()
        removed[name] = layer.weight.numel() - rows * columns * taps
    return removed


def _masked_weights(layers: counts.Layers, kept: Kept) -> dict[str, int]:
    """Count the weights of zeroed filters."""
    return {
        name: int((~kept[name, OUT]).sum()) * layer.weight[0].numel() if (name, OUT) in kept else 0
        for name, layer in layers.items()
    }


def _maskable(layers: counts.Layers, all_groups: list[Group]) -> int:
    """Count the weights of all filters that make a channel of some group."""
    making = {site.layer for group in all_groups for site in group.sites if site.side == OUT}
    return sum(layer.weight.numel() for name, layer in layers.items() if name in making)


def _steps_to(target: float, most: int, removed_after: Callable[[int], int]) -> int:
    """Return the number of steps whose count is nearest to `target`, by bisection."""
    low, high = 0, most
    while low < high:  # the least number that reaches the target
        middle = (low + high) // 2
        if removed_after(middle) < target:
            low = middle + 1
        else:
            high = middle
    if low and target - removed_after(low - 1) < removed_after(low) - target:
        return low - 1
    return low


def _share(order: Sequence[int], sizes: Sequence[int]) -> float:
    return len(order) / sum(sizes) if sizes else 0.0

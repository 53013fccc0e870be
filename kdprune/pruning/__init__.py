"""Pruning methods, each in the file of its name.

`METHODS[name](model, levels, input_size=…, **hyperparameters)` yields one `Pruned` per level, each
from a fresh copy of the dense model, never from the level before.
"""

from collections.abc import Callable, Iterator

from kdprune.methods import demand_own_files
from kdprune.pruning import channel, weight
from kdprune.pruning.pruned import Pruned

METHODS: dict[str, Callable[..., Iterator[Pruned]]] = {
    "weight": weight.prune,
    "channel": channel.prune,
}

# Those that work on torch's meta device too, where networks have shapes and no values: what such a
# method refuses follows from the shapes, and is known at no cost
BY_SHAPES = frozenset({"weight"})

demand_own_files(__name__, METHODS)

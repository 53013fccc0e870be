"""Pruning methods, each in the file of its name.

`METHODS[name](model, levels, input_size=…, **hyperparameters)` yields one `Pruned` per level, each
from a fresh copy of the dense model, never from the level before. One that looks at images takes
them as `data`; `application.prune` gives each method what it declares. One that trains on its way,
from level to level, takes `train`: the stage sparsify runs it, and all others read what it stored.
"""

from collections.abc import Callable, Iterator

from kdprune.methods import demand_own_files
from kdprune.pruning import (
    aofp,
    channel,
    gal,
    global_weight,
    lamp,
    magnitude,
    one_shot,
    pqk,
    random,
    random_channel,
    scratch,
    ssl,
    taylor,
    weight,
)
from kdprune.pruning.pruned import Pruned

METHODS: dict[str, Callable[..., Iterator[Pruned]]] = {
    "weight": weight.prune,
    "channel": channel.prune,
    "global_weight": global_weight.prune,
    "lamp": lamp.prune,
    "random": random.prune,
    "random_channel": random_channel.prune,
    "taylor": taylor.prune,
    "magnitude": magnitude.prune,
    "ssl": ssl.prune,
    "aofp": aofp.prune,
    "pqk": pqk.prune,
    "gal": gal.prune,
    "one_shot": one_shot.prune,
    "scratch": scratch.prune,
}

# Those that work on torch's meta device too, where networks have shapes and no values: what such a
# method refuses follows from the shapes, and is known at no cost
BY_SHAPES = frozenset({"weight"})

demand_own_files(__name__, METHODS)

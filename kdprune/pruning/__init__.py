"""Pruning methods.

`METHODS[name](model, levels, input_size=…, **hyperparameters)` yields one `Pruned` per level, each
from a fresh copy of the dense model, never from the level before.
"""

from kdprune.pruning import channel, weight

METHODS = {
    "weight": weight.prune,
    "channel": channel.prune,
}

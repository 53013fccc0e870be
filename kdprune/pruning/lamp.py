"""Weight pruning under layer-adaptive magnitude scores, beside weight and its other scopes.

Lee et al., "Layer-adaptive sparsity for the Magnitude-based Pruning", ICLR 2021, arXiv:2010.07611,
in one shot; the authors prune 20 % of what is left in each of 20 rounds, and train in between.
"""

from collections.abc import Iterator, Sequence

from torch import nn

from kdprune.methods import checked
from kdprune.pruning import scores, unstructured
from kdprune.pruning.pruned import Pruned


@checked
def prune(model: nn.Module, levels: Sequence[float], *, input_size: int = 32) -> Iterator[Pruned]:
    """Yield `model` pruned to each level: `weight` of scope lamp; see `unstructured.remove`."""
    yield from unstructured.remove(model, levels, scores.l1(model), scope="lamp")

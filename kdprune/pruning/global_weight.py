"""Weight pruning in one ranking of all layers, beside weight, which ranks within each.

The one-shot global magnitude pruning of Renda et al., ICLR 2020, arXiv:2003.02389.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field
from torch import nn

from kdprune.methods import checked
from kdprune.pruning import scores, unstructured
from kdprune.pruning.pruned import Pruned


@checked
def prune(
    model: nn.Module,
    levels: Sequence[float],
    *,
    input_size: int = 32,
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.0,
) -> Iterator[Pruned]:
    """Yield `model` pruned to each level: `weight` of scope global; see `unstructured.remove`."""
    scored = scores.l1(model)
    key = "prune.global_weight"
    yield from unstructured.remove(model, levels, scored, scope="global", floor=floor, key=key)

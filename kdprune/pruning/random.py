"""Random weights go: the control that any criterion for weights should beat."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

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
    scope: Literal["layer", "global", "std", "lamp", "erk"] = "layer",
    seed: Annotated[int, Field(ge=0, lt=2147483648)] = 0,
) -> Iterator[Pruned]:
    """Yield `model` with random weights gone, of each layer as many as `scope` takes by size.

    It is `weight` with criterion random; see `unstructured.remove`.
    """
    yield from unstructured.remove(model, levels, scores.random(model, seed=seed), scope=scope)

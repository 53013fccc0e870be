"""Unstructured pruning: single weights go, by a criterion within and a scope over layers.

With the defaults, those of the smallest absolute value in each layer: Han et al., "Learning both
Weights and Connections for Efficient Neural Networks", NeurIPS 2015, arXiv:1506.02626, in one shot.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.methods import checked
from kdprune.pruning import scores, unstructured
from kdprune.pruning.pruned import Pruned


@checked
def prune(
    model: nn.Module,
    levels: Sequence[float],
    *,
    input_size: int = 32,
    data: Mapping[str, torch.Tensor] | None = None,
    scope: Literal["layer", "global", "std", "lamp", "erk"] = "layer",
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    criterion: Literal["l1", "taylor", "random"] = "l1",
    seed: Annotated[int, Field(ge=0, lt=2147483648)] = 0,
    images: Annotated[int, Field(ge=1, le=1000000)] = 1024,
) -> Iterator[Pruned]:
    """Yield `model` pruned to each level; see `unstructured.remove`.

    `seed` is that of criterion random, `images` how many of `data` criterion taylor looks at.
    Raises KdpruneError, besides, for criterion taylor with another scope than global, which says
    nothing within a layer, or without data.
    """
    if criterion == "random":
        scored = scores.random(model, seed=seed)
    elif criterion == "l1":
        scored = scores.l1(model)
    elif scope == "global":
        scored = scores.taylor(model, data, images=images)
    else:
        raise KdpruneError(
            f"prune.weight.scope = {scope}: criterion taylor ranks the weights of all layers "
            "together, and is worse than l1 within one; write global, or criterion l1"
        )
    yield from unstructured.remove(model, levels, scored, scope=scope, floor=floor)

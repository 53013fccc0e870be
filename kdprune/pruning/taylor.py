"""Channel pruning by the first-order change of the loss, beside channel and its L1 norms.

Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019, arXiv:1906.10771,
with gates behind batch norm (the authors' best), in one shot; the authors go on training while they
prune 100 channels every 30 mini-batches.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from kdprune.methods import checked
from kdprune.pruning import criteria, structured
from kdprune.pruning.pruned import Pruned


@checked
def prune(
    model: nn.Module,
    levels: Sequence[float],
    *,
    input_size: int = 32,
    data: Mapping[str, torch.Tensor] | None = None,
    mode: Literal["remove", "mask"] = "remove",
    round_to: Annotated[int, Field(ge=1, le=1024)] = 1,
    images: Annotated[int, Field(ge=1, le=1000000)] = 1024,
) -> Iterator[Pruned]:
    """Yield `model` pruned to each level: `channel` by criterion taylor; see `structured.remove`.

    Raises KdpruneError, besides, without data.
    """
    rank = criteria.chosen("taylor", data=data, images=images, input_size=input_size)
    yield from structured.remove(
        model, levels, rank, input_size=input_size, mode=mode, round_to=round_to
    )

"""Structured pruning: channels go by a criterion, with all that is coupled to them.

With the defaults, the filters of the smallest L1 norm: Li et al., "Pruning Filters for Efficient
ConvNets", ICLR 2017, arXiv:1608.08710, with the groups of Fang et al., CVPR 2023, arXiv:2301.12900.
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
    criterion: Literal["l1", "l2", "fpgm", "bn", "taylor", "random"] = "l1",
    seed: Annotated[int, Field(ge=0, lt=2147483648)] = 0,
    images: Annotated[int, Field(ge=1, le=1000000)] = 1024,
) -> Iterator[Pruned]:
    """Yield `model` with channels pruned to each level; see `structured.remove`.

    `seed` is that of criterion random, `images` how many of `data` criterion taylor looks at.
    Raises KdpruneError, besides, for criterion taylor without data.
    """
    rank = criteria.chosen(criterion, data=data, seed=seed, images=images, input_size=input_size)
    yield from structured.remove(
        model, levels, rank, input_size=input_size, mode=mode, round_to=round_to
    )

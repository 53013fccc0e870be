"""Random channels go: the control that any criterion for channels should beat."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

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
    mode: Literal["remove", "mask"] = "remove",
    round_to: Annotated[int, Field(ge=1, le=1024)] = 1,
    seed: Annotated[int, Field(ge=0, lt=2147483648)] = 0,
) -> Iterator[Pruned]:
    """Yield `model` pruned to each level: `channel` of criterion random.

    See `structured.remove`.
    """
    rank = criteria.chosen("random", seed=seed, input_size=input_size)
    yield from structured.remove(
        model, levels, rank, input_size=input_size, mode=mode, round_to=round_to
    )

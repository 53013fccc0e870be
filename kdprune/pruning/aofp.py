"""Approximated oracle filter pruning: what a layer's reader would miss is tried while training.

Ding et al., "Approximated Oracle Filter Pruning for Destructive CNN Width Optimization", ICML 2019,
arXiv:1905.04748. In every step a random half of a layer's candidates is zeroed on a second path
through the layer that reads them, and each of them is charged with the relative change of its
outputs; after so many steps the half that was charged least goes for good, or is searched on.

Beside the authors' code: a random half for each layer of the one network, while it trains on
labels; here only channels inside blocks (`internal`), a fixed number of epochs for each level, and
no updates of running statistics by the second path. A threshold that admits nothing is doubled
after 2 log2(width) vain halves, where theirs would try on for ever; what a level still lacks at
its end goes by the last scores, and is told of.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from kdprune.methods import checked
from kdprune.pruning import internal
from kdprune.pruning.ablation import Ablated
from kdprune.pruning.pruned import Pruned
from kdprune.pruning.trained import Train


@checked
def prune(
    model: nn.Module,
    levels: Sequence[float],
    *,
    train: Train,
    input_size: int = 32,
    theta: Annotated[float, Field(ge=0, le=1000000, allow_inf_nan=False)] = 0.01,
    half: Annotated[int, Field(ge=1, le=1000000)] = 20,
    epochs: Annotated[int, Field(ge=1, le=10000)] = 8,
    lr: Annotated[float, Field(gt=0, le=1000000, allow_inf_nan=False)] = 0.001,
) -> Iterator[Pruned]:
    """Yield `model` at each of the rising levels, the first state with that share of weights gone.

    A half lasts `half` steps, a level `epochs` at `lr`, unless moves for the one before went past
    it. Widths follow from what the layers miss. Level 0 is `model` as it is. Raises KdpruneError,
    before it trains, for levels that channels inside blocks cannot reach.
    """
    inner = internal.find(model, input_size)
    internal.demand(model, inner, levels, "aofp")
    task = Ablated(model, inner, internal.read_by_relu(model, input_size), theta=theta, half=half)
    for level in levels:
        forced = 0
        task.target = level
        if not task.reached():
            train(task, epochs=epochs, lr=lr)
            forced = task.force(task.means)
        note = f"theta up to {max(task.thetas):.3g}" + f", {forced} channels forced" * bool(forced)
        state, alive = task.network.state_dict(), task.alive
        yield internal.pruned(model, state, inner, alive, level=level, note=note if level else "")


def reach(model: nn.Module, input_size: int = 32) -> float:
    """Return the highest level that there is for a network: that of its channels inside blocks."""
    return internal.reach(model, input_size)


def spent(rises: int, given: Mapping[str, Any]) -> float:
    """Return the epochs of plain training that `rises` levels cost at most: a third more."""
    return rises * given["epochs"] * 4 / 3

"""Pruned in one shot, then trained as long as a method that trains on its way has been: a control.

What is better about pruning by degrees than about training on for as many epochs shows beside it.
Renda et al., ICLR 2020, arXiv:2003.02389, compare both in the same way.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from kdprune.methods import checked
from kdprune.pruning import criteria, scores, structured, unstructured
from kdprune.pruning.pruned import Pruned, apply
from kdprune.pruning.trained import OnLabels, Train

ANEW = True  # each level begins with the dense network, and has spent none of the others' epochs


@checked
def prune(
    model: nn.Module,
    levels: Sequence[float],
    *,
    train: Train,
    input_size: int = 32,
    of: Literal["weight", "channel"] = "weight",
    scope: Literal["layer", "global", "std", "lamp", "erk"] = "std",
    epochs: Annotated[int, Field(ge=1, le=10000)] = 3,
    rising: bool = True,
    lr: Annotated[float, Field(gt=0, le=1000000, allow_inf_nan=False)] | None = None,
) -> Iterator[Pruned]:
    """Yield `model` pruned to each level from the dense network, and trained on labels.

    Weights go by absolute value under `scope` (`unstructured.remove`), channels by L1 norm
    (`structured.remove`). With `rising`, the k-th level above 0 is trained for k times `epochs`,
    what a method of `epochs` a level has spent when it comes to it; else each for `epochs`. Level 0
    is `model` as it is.
    """
    for number, pruned in enumerate(cut(model, levels, of, scope, input_size), levels[0] > 0):
        if pruned.level:
            pruned.model.requires_grad_(True)
            apply(pruned.model, pruned.masks)
            train(OnLabels(pruned.model), epochs=epochs * number if rising else epochs, lr=lr)
        yield pruned


def spent(rises: int, given: Mapping[str, Any]) -> float:
    """Return the epochs of plain training that `rises` levels cost."""
    return given["epochs"] * (rises * (rises + 1) / 2 if given["rising"] else rises)


def cut(
    model: nn.Module, levels: Sequence[float], of: str, scope: str, input_size: int
) -> Iterator[Pruned]:
    """Yield `model` at each level, without weights or without channels."""
    if of == "weight":
        return unstructured.remove(model, levels, scores.l1(model), scope=scope)
    rank = criteria.chosen("l1", input_size=input_size)
    return structured.remove(model, levels, rank, input_size=input_size)

"""The pruned network trained from scratch: a control that channel pruning must stand beside.

Liu et al., "Rethinking the Value of Network Pruning", ICLR 2019, arXiv:1810.05270: for channels it
equals or beats what is tuned after pruning. For weights: the same masks, fresh values (Frankle and
Carbin, ICLR 2019, arXiv:1803.03635).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from kdprune.methods import checked
from kdprune.pruning.one_shot import cut
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
    of: Literal["weight", "channel"] = "channel",
    epochs: Annotated[int, Field(ge=1, le=10000)] = 60,
    lr: Annotated[float, Field(gt=0, le=1000000, allow_inf_nan=False)] = 0.001,
    schedule: Literal["constant", "cosine", "onecycle"] = "cosine",
    seed: Annotated[int, Field(ge=0, lt=2147483648)] = 0,
) -> Iterator[Pruned]:
    """Yield `model` cut to each level by L1 norm, its values drawn anew and trained on labels.

    Weights, where they are what goes, go within each layer. Values are drawn as PyTorch's layers
    draw their own, with `seed`, whatever the network's own first ones were. Level 0 is `model` as
    it is.
    """
    for pruned in cut(model, levels, of, "layer", input_size):
        if pruned.level:
            redraw(pruned.model.requires_grad_(True), seed)
            apply(pruned.model, pruned.masks)
            train(OnLabels(pruned.model), epochs=epochs, lr=lr, schedule=schedule)
        yield pruned


def spent(rises: int, given: Mapping[str, Any]) -> float:
    """Return the epochs of plain training that `rises` levels cost."""
    return rises * given["epochs"]


def redraw(model: nn.Module, seed: int) -> None:
    """Draw the values of all layers anew. Leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in model.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()

"""The last layer of a file's network, where it answers other questions than the data set asks."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from kdprune.errors import KdpruneError, nearest

State = dict[str, torch.Tensor]


def fitted(
    state: Mapping[str, torch.Tensor],
    model: nn.Module,
    *,
    told: str,
    where: str,
    head: str | None = None,
    outputs: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> State:
    """Return a file's tensors with a classifier [classes, d] that fits the network's.

    `head` "new": the network's own first weights stand in for the file's. `outputs` names the
    file's outputs, of which those that `classes` names are taken, in its order. Neither: as they
    are. Raises KdpruneError, beginning with `told` (the file) or `where` (the parameters), where
    the file has another number of outputs, or lacks a class.
    """
    state, own = dict(state), model.state_dict()
    names = [f"{classifier(model)}.{part}" for part in ("weight", "bias")]
    if head == "new":
        return state | {name: own[name] for name in names}
    held = [state[name] for name in names if name in state]
    if len(held) < 2 or held[0].ndim != 2 or held[0].shape[1:] != own[names[0]].shape[1:]:
        return state  # another network's, or none: the differences say so
    count, wanted = len(held[0]), len(own[names[0]])
    if held[1].shape != (count,):
        return state
    if outputs is None and count != wanted:
        raise KdpruneError(
            f"{told} has {count} outputs, and the data set {wanted} classes; write head: new to "
            "train a new last layer, or name the file's outputs in their order (classes: […])"
        )
    if outputs is None or classes is None:
        return state
    if len(outputs) != count:
        raise KdpruneError(
            f"{where}.classes: names {len(outputs)} outputs, and {told.partition(': ')[2]} has "
            f"{count}; name each, in the order of the outputs"
        )
    if missing := [name for name in classes if name not in outputs]:
        raise KdpruneError(
            f"{where}.classes: lacks {missing[0]!r}, a class of the data set; "
            f"{nearest(missing[0], outputs)}; or write head: new"
        )
    rows = torch.tensor([list(outputs).index(name) for name in classes])
    return state | {name: value[rows] for name, value in zip(names, held, strict=True)}


def classifier(model: nn.Module) -> str:
    """Return the name of a network's last linear layer."""
    last = model.get_classifier()
    return next(name for name, layer in model.named_modules() if layer is last)

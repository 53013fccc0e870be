"""Which layers learn at which rate: a last layer that is new, and the others that are not."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


def groups(task: nn.Module, body: float) -> "list[dict[str, Any]] | list[nn.Parameter]":
    """Return what an optimiser is told of a task's parameters, those that want gradients.

    `body` is the share of the rate at which all layers of `task.network` but the last learn: kept
    as "share" of its group. 1: all alike. 0: they are frozen, and stay so.
    """
    if body == 1:
        return [parameter for parameter in task.parameters() if parameter.requires_grad]
    inside = list(_body(task))
    for parameter in inside if body == 0 else ():
        parameter.requires_grad_(False)
    slow = {id(parameter) for parameter in inside}
    others = [one for one in task.parameters() if id(one) not in slow and one.requires_grad]
    told = [{"params": others, "share": 1.0}]
    return told if body == 0 else [*told, {"params": inside, "share": body}]


def to_train(task: nn.Module, body: float) -> None:
    """Put a task into training mode, but for the batch norm of layers that are frozen."""
    task.train()
    if body == 0:
        for module in _network(task).modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of every group, each by its share."""
    for group in optimiser.param_groups:
        own = rate * group.get("share", 1.0)
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(own)
        else:
            group["lr"] = own


def _body(task: nn.Module) -> Iterable[nn.Parameter]:
    network = _network(task)
    last = {id(parameter) for parameter in network.get_classifier().parameters()}
    wanted = (one for one in network.parameters() if one.requires_grad)
    return (one for one in wanted if id(one) not in last)


def _network(task: Any) -> Any:
    return task.network

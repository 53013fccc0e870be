"""Ends the building of a network that grows far beyond the file which it is built for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as hooks

from kdprune.errors import KdpruneError

SLACK = 256  # a network may hold so many times the elements of its file: the rest was cut
SMALL = 1 << 24  # elements that are always allowed
LAYERS = 40  # modules for each tensor, most of which hold none


@contextmanager
def bounded(tensors: int, elements: int, where: Any) -> Iterator[None]:
    """Raise KdpruneError, naming `where`, once a network built inside grows too large.

    It may have twice the `tensors` of its file (a first classifier is replaced), and `SLACK` times
    their `elements`. Counted is what modules register, so on the meta device nothing of it is ever
    in memory.
    """
    most = max(SMALL, SLACK * elements)
    left = {"tensors": 2 * tensors + 64, "elements": most, "layers": LAYERS * (tensors + 64)}

    def spend(kind: str, amount: int) -> None:
        left[kind] -= amount
        if left[kind] < 0:
            raise KdpruneError(
                f"{where}: describes a network of many more {kind} than the file holds; it is "
                "damaged, or made to exhaust this machine"
            )

    def tensor(module: nn.Module, name: str, value: torch.Tensor | None) -> None:
        if value is not None:
            spend("tensors", 1)
            spend("elements", value.numel())

    handles = [
        hooks.register_module_parameter_registration_hook(tensor),
        hooks.register_module_buffer_registration_hook(tensor),
        hooks.register_module_module_registration_hook(lambda *_: spend("layers", 1)),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

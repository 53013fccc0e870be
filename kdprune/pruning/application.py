"""One way to call a pruning method, for all who do: it is given what it declares, and no more."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import nn

from kdprune.models.building import side_of
from kdprune.pruning import METHODS
from kdprune.pruning.calibration import PARTS
from kdprune.pruning.pruned import Pruned


def prune(
    method: str,
    model: nn.Module,
    levels: Sequence[float],
    hyperparameters: Mapping[str, Any],
    data: Callable[[], Mapping[str, torch.Tensor]],
) -> Iterator[Pruned]:
    """Return what METHODS[method] yields for `levels`.

    A method that looks at images has a keyword `data`, and is given the training images and
    labels, mean and std of what `data` returns, which is called once a method looks. Validation and
    test images no method sees.
    """
    called = METHODS[method]
    given: dict[str, Any] = {"input_size": side_of(model), **hyperparameters}
    if "data" in inspect.signature(called).parameters:
        given["data"] = Training(data)
    return called(model, levels, **given)


class Training(Mapping[str, torch.Tensor]):
    """The training part of a data set, of which nothing is read before it is asked for."""

    def __init__(self, read: Callable[[], Mapping[str, torch.Tensor]]) -> None:
        self._read = cache(read)

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in PARTS:
            raise KeyError(name)
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(PARTS)

    def __len__(self) -> int:
        return len(PARTS)

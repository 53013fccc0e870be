"""One way to call a pruning method, for all who do: it is given what it declares, and no more."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune.data.augment import Augment
from kdprune.errors import KdpruneError
from kdprune.models.building import side_of
from kdprune.pruning import METHODS, trajectories
from kdprune.pruning.calibration import PARTS, VIEWS
from kdprune.pruning.pruned import Pruned
from kdprune.pruning.trained import Train


def prune(
    method: str,
    model: nn.Module,
    levels: Sequence[float],
    hyperparameters: Mapping[str, Any],
    data: Callable[[], Mapping[str, torch.Tensor]],
    trajectory: Path | None = None,
    augment: Augment | None = None,
) -> Iterator[Pruned]:
    """Return what METHODS[method] yields for `levels`.

    A method that looks at images has a keyword `data`, and is given the training images and
    labels, mean and std of what `data` returns, which is called once a method looks; it sees them
    through `augment`, by default cropped and flipped. Validation and test images no method sees.
    Of a method that trains on its way, the levels are read that `sparsify` yielded, from the folder
    `trajectory` (see `trajectories.read`).
    """
    if trains(method):
        return trajectories.read(trajectory, model, levels, method=method)
    given = _given(method, model, hyperparameters, data, augment)
    return METHODS[method](model, levels, **given)


def sparsify(
    method: str,
    model: nn.Module,
    levels: Sequence[float],
    hyperparameters: Mapping[str, Any],
    data: Callable[[], Mapping[str, torch.Tensor]],
    train: Train,
) -> Iterator[Pruned]:
    """Return what a method that trains on its way yields for all `levels`, and train it so.

    Arguments as of `prune`; it trains by `train`. A level is to be used before the next is asked
    for, which goes on with the same network.
    """
    given = _given(method, model, hyperparameters, data)
    return METHODS[method](model, levels, train=train, **given)


def trains(method: str) -> bool:
    """Whether a method trains on its way: it has a keyword `train`."""
    return "train" in inspect.signature(METHODS[method]).parameters


def within(method: str, model: nn.Module, levels: Sequence[float]) -> tuple[list[float], float]:
    """Return those of `levels` that a method can take `model` to, and the highest that there is.

    Of a method whose file has no function `reach` these are all, and 1. Raises KdpruneError where
    none but level 0 is left.
    """
    module = sys.modules[METHODS[method].__module__]
    most = module.reach(model, side_of(model)) if hasattr(module, "reach") else 1.0
    left = [level for level in levels if level <= most]
    if any(levels) and not any(left):
        raise KdpruneError(
            f"prune.levels: {method} can remove {most:.1%} of this network's weights at most, not "
            f"{min(filter(None, levels)):.1%}; add a lower level, or leave this method out"
        )
    return left, most


def anew(method: str) -> bool:
    """Whether each level of a method that trains on its way begins with the dense network."""
    return getattr(sys.modules[METHODS[method].__module__], "ANEW", False)


def spent(method: str, levels: Sequence[float], hyperparameters: Mapping[str, Any]) -> float:
    """Return the epochs of plain training that a method costs which trains on its way."""
    module = sys.modules[METHODS[method].__module__]
    return module.spent(sum(level > 0 for level in levels), hyperparameters)


def _given(
    method: str,
    model: nn.Module,
    hyperparameters: Mapping[str, Any],
    data: Callable[[], Mapping[str, torch.Tensor]],
    augment: Augment | None = None,
) -> dict[str, Any]:
    given: dict[str, Any] = {"input_size": side_of(model), **hyperparameters}
    if "data" in inspect.signature(METHODS[method]).parameters:
        given["data"] = Training(data, augment)
    return given


class Training(Mapping[str, Any]):
    """The training part of a data set, of which nothing is read before it is asked for.

    VIEWS are how its images are seen, where that was said.
    """

    def __init__(
        self, read: Callable[[], Mapping[str, torch.Tensor]], augment: Augment | None = None
    ) -> None:
        self._read, self._augment = cache(read), augment

    def __getitem__(self, name: str) -> Any:
        if name == VIEWS and self._augment is not None:
            return self._augment
        if name not in PARTS:
            raise KeyError(name)
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(PARTS)

    def __len__(self) -> int:
        return len(PARTS)

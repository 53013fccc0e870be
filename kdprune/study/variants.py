"""A network in every form that its costs are measured in: unpruned, and at its breakpoints."""

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from kdprune.config.params import Params
from kdprune.config.signatures import trains
from kdprune.data.augment import Augment
from kdprune.methods import parts
from kdprune.pruning import application
from kdprune.pruning.pruned import Pruned
from kdprune.study import images, paths
from kdprune.study.costs import UNPRUNED


def here(key: str, levels: Mapping[str, float]) -> dict[str, float]:
    """Return those of `levels`, by method, whose networks this clone has or can make of `key`.

    What trained on its way lies in models/sparse, which a clone may lack beside the checkpoint:
    then it is told of, and the others are measured all the same.
    """
    absent = []
    for method in levels:
        folder = paths.sparse(key, pruning := parts(method)[0])
        if trains(pruning) and not folder.is_dir():
            absent.append(method)
            told = f"{folder}: is not here to be measured; `dvc pull` gets it"
            print(told, file=sys.stderr)
    return {method: level for method, level in levels.items() if method not in absent}


def made(
    params: Params,
    key: str,
    dataset: str,
    model: nn.Module,
    described: Mapping[str, Any],
    levels: Mapping[str, float],
) -> dict[str, Pruned]:
    """Return `model`, the network `key`, at each of `levels`, by method; UNPRUNED is itself.

    Raises KdpruneError as the methods do.
    """
    variants = {UNPRUNED: Pruned(0.0, 0.0, 0.0, model)}
    read = partial(images.tensors, dataset, params, described)
    for method, level in levels.items():
        if method != UNPRUNED:
            given = params.prune.hyperparameters[(name := parts(method)[0])]
            folder = paths.sparse(key, name)
            how = given, read, folder, _views(dataset)
            variants[method] = next(application.prune(name, model, [level], *how))
    return variants


def _views(dataset: str) -> Augment:
    """Return the data set's views; its manifest is read once a method looks at images."""
    return lambda seen, drawn: images.augmentation(dataset)(seen, drawn)

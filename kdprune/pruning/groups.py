"""Channels that must go together, as plain index arrays.

Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023, arXiv:2301.12900. The graph is
traced once per network (`coupling`) and tried once (`trial`); counting what a choice of channels
leaves is then arithmetic on a few arrays, and every level is one cut.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.models.composite import ReusedClassifier

OUT, IN = "out", "in"


@dataclass(frozen=True)
class Site:
    """One side of one layer: which of its indices each channel of a group stands for."""

    layer: str
    side: str  # OUT or IN
    width: int  # how many indices this side has
    channels: np.ndarray  # group's channel, per entry
    indices: np.ndarray  # layer's index, per entry
    cut: Callable[[nn.Module, list[int]], object]  # Torch-Pruning's surgery for this side


@dataclass(frozen=True)
class Group:
    """Channels coupled over several layers; all sites lose the same channels."""

    size: int
    sites: list[Site]

    def producers(self, model: nn.Module) -> Iterator[tuple[nn.Module, Site]]:
        """Yield the convolutions and linear layers whose filters make these channels."""
        for site in self.sites:
            layer = model.get_submodule(site.layer)
            if site.side == OUT and isinstance(layer, nn.Conv2d | nn.Linear):
                yield layer, site


def find(model: nn.Module, input_size: int = 32) -> list[Group]:
    """Return the groups of channels that may be pruned.

    Left alone are the classifier's outputs; where the classifier is a reused one
    (`ReusedClassifier`), the features that enter it; and groups whose removal is not what zeroing
    their filters would be: those that a normalisation over channels averages, that a split of
    fixed sizes takes apart, or that Torch-Pruning mistakes. Raises KdpruneError for networks whose
    structure cannot be followed at all.
    """
    from kdprune.pruning import coupling, trial  # they build on this file

    counts.macs(model, input_size)  # refuses a network that does not take such images
    traced = coupling.trace(model, input_size)
    names = {module: name for name, module in model.named_modules()}
    classifier = names[model.get_classifier()]
    keep_features = isinstance(model, ReusedClassifier)
    free = [
        group
        for group in traced
        if not any(
            site.layer == classifier and (site.side == OUT or keep_features) for site in group.sites
        )
    ]
    sound_groups = trial.sound(model, free, input_size)
    if not any(group.size > 1 for group in sound_groups):
        raise KdpruneError(
            f"prune.method: channel pruning finds no channels of {type(model).__name__} that can "
            "be cut out as if they were zero; use weight"
        )
    return sound_groups

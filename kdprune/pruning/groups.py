"""Channels that must go together, from Torch-Pruning's dependency graph, as plain index arrays.

Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023, arXiv:2301.12900. The graph is
built once per network; counting what a choice of channels leaves is then arithmetic on a few
arrays, and every level is one cut.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from kdprune.errors import KdpruneError
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

    Left alone are the classifier's outputs and, where the classifier is a reused one
    (`ReusedClassifier`), the features that enter it. Raises KdpruneError for networks whose
    structure Torch-Pruning cannot follow, and for grouped convolutions that are not depthwise:
    their channels would have to go by as many in every group.
    """
    import torch_pruning  # 7 s where timm has not been imported: only channel pruning needs it

    _refuse_grouped(model)
    training = model.training
    names = {module: name for name, module in model.named_modules()}
    device = next(model.parameters()).device
    image = torch.zeros(1, 3, input_size, input_size, device=device)
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    for parameter in frozen:  # the graph is traced through autograd
        parameter.requires_grad_(True)
    try:
        graph = torch_pruning.DependencyGraph()
        with torch.enable_grad():
            graph.build_dependency(model.eval(), example_inputs=image, verbose=False)
        with _mapped_once():
            found = list(
                graph.get_all_groups(
                    ignored_layers=[model.get_classifier()],
                    root_module_types=[nn.Conv2d, nn.Linear],
                )
            )
        groups = [_group(graph, members, names) for members in found]
    except torch.OutOfMemoryError:  # no fault of the network's
        raise
    except (AttributeError, IndexError, KeyError, RuntimeError, ValueError) as error:
        raise KdpruneError(
            f"prune.method: channel pruning cannot follow {type(model).__name__}'s structure "
            f"({type(error).__name__}: {str(error).splitlines()[0]}); use weight"
        ) from None
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
        model.train(training)
    classifier = names[model.get_classifier()]
    keep_features = isinstance(model, ReusedClassifier)
    return [
        group
        for group in groups
        if not any(
            site.layer == classifier and (site.side == OUT or keep_features) for site in group.sites
        )
    ]


@contextmanager
def _mapped_once() -> Iterator[None]:
    """Keep Torch-Pruning from mapping every concatenation's indices anew for each group.

    The graph maps them when it is built, and nothing is cut while its groups are listed. In
    DenseNet-201 the repetition takes ten of eleven seconds.
    """
    from torch_pruning.dependency import index_mapping

    original = index_mapping.update_index_mapping
    index_mapping.update_index_mapping = lambda graph: None
    try:
        yield
    finally:
        index_mapping.update_index_mapping = original


def _group(graph: Any, members: Any, names: dict[nn.Module, str]) -> Group:
    sites, seen = [], set()
    for item in members:
        module = item.dep.target.module
        if module not in names:  # an operation without parameters, such as an addition
            continue
        side = OUT if graph.is_out_channel_pruning_fn(item.dep.handler) else IN
        if isinstance(module, nn.modules.batchnorm._BatchNorm) or _is_depthwise(module):
            side = OUT  # one index, both sides
        site = Site(
            layer=names[module],
            side=side,
            width=_width(module, side),
            channels=np.asarray(item.root_idxs),
            indices=np.asarray(item.idxs),
            cut=item.dep.handler,
        )
        key = (site.layer, side, site.indices.tobytes())
        if key not in seen:
            seen.add(key)
            sites.append(site)
    return Group(size=int(max(site.channels.max() for site in sites)) + 1, sites=sites)


def _refuse_grouped(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1 and not _is_depthwise(module):
            raise KdpruneError(
                f"prune.method: channel pruning does not know grouped convolutions, and {name} has "
                f"{module.groups} groups of {module.out_channels // module.groups}; use weight"
            )


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == module.out_channels > 1


def _width(module: nn.Module, side: str) -> int:
    if isinstance(module, nn.Conv2d):
        return module.out_channels if side == OUT else module.in_channels
    if isinstance(module, nn.Linear):
        return module.out_features if side == OUT else module.in_features
    return module.num_features

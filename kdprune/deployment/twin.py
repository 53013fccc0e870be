"""The masked twin of a cut network: the dense shapes, with zeros in the place of what was cut."""

import copy

import numpy as np
import torch
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.pruning.groups import IN, OUT
from kdprune.pruning.pruned import Pruned


@torch.no_grad()
def masked_twin(dense: nn.Module, pruned: Pruned) -> nn.Module:
    """Return a network of `dense`'s shapes that holds a cut network's weights, and zeros elsewhere.

    For what removes channels and says which (`Pruned.kept`): the twin gives the same outputs only
    if those were cut, and rightly so. Raises KdpruneError where what stays and the cut network's
    shapes do not match.
    """
    kept = pruned.kept
    twin = copy.deepcopy(dense).requires_grad_(False).eval()
    for name, layer in twin.named_modules():
        small = pruned.model.get_submodule(name)
        own = {**layer._parameters, **layer._buffers}
        for leaf, tensor in own.items():
            if tensor is not None:
                _spread(tensor, getattr(small, leaf), kept.get((name, OUT)), kept.get((name, IN)))
    return twin


def _spread(
    into: torch.Tensor, values: torch.Tensor, rows: np.ndarray | None, columns: np.ndarray | None
) -> None:
    """Put `values` where rows and columns are kept, and zeros elsewhere."""
    if into.dim() == 0:
        into.copy_(values)
        return
    kept = [rows, columns][: min(into.dim(), 2)]
    at = [
        # a grouped convolution stores the inputs of one group, and all lose the same places
        torch.arange(size) if keep is None else torch.as_tensor(np.flatnonzero(keep[:size]))
        for size, keep in zip(into.shape, kept, strict=False)
    ]
    if tuple(map(len, at)) != tuple(values.shape[: len(at)]):
        raise KdpruneError(
            f"channel removal left {tuple(values.shape)}, but {tuple(map(len, at))} was to stay"
        )
    into.zero_()
    into[(at[0].unsqueeze(1), at[1]) if len(at) == 2 else at[0]] = values.to(into.dtype)

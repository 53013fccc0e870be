"""How many weights each layer loses: what makes the scores of unlike layers comparable.

A scope gives every weight that a layer may lose a place in one ranking over all layers, in the
order in which the layer loses them: `rising` are the layer's values by which it is compared, from
the smallest, and `weight` is its tensor. Places rise within a layer, so a scope never changes which
of a layer's weights goes first, only when. "layer" is no such ranking: every layer loses alike.
"""

from collections.abc import Callable

import torch

Scope = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def as_they_are(rising: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the values themselves: one ranking of all weights, by which layers can vanish."""
    return rising


def per_deviation(rising: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the values in units of the standard deviation of the layer's dense weights.

    A threshold of q deviations in every layer (Han et al., NeurIPS 2015, arXiv:1506.02626) is a
    place in this ranking. The deviation is about the mean, over n, as in NumPy.
    """
    deviation = weight.double().std(correction=0)
    return rising.double() / (deviation if deviation > 0 else 1.0)


def lamp(rising: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return w² / Σ v² over the layer's v that are not smaller than w.

    Lee et al., "Layer-adaptive sparsity for the Magnitude-based Pruning", ICLR 2021,
    arXiv:2010.07611. A layer's largest weight scores 1, so no layer vanishes while another has two
    weights. Sums run from the largest, in 64 bits: the total less what came before, in 32, gives
    1.005 for the largest of two million.
    """
    values = rising.detach().cpu().double()  # a running sum need not be the same twice on a GPU
    squares = values.square()
    sums = squares.flip(0).cumsum(0).flip(0)
    sums = sums[torch.searchsorted(values, values)]  # of equals, each has all of them beneath it
    return (squares / torch.where(sums > 0, sums, 1.0)).to(rising.device)


def erk(rising: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return minus the budget at which each weight would be kept: shapes decide, values do not.

    Erdős-Rényi-kernel (Evci et al., ICML 2020, arXiv:1911.11134): a layer keeps the share
    e · (sum of its tensor's dimensions) / n of its n weights, but at most all, with one e for all
    layers. As e falls, rounding takes the k-th weight of a layer at e = (n - k + 1/2) / sum; in
    that order any count is met exactly, and higher levels take more of the same.
    """
    left = torch.arange(rising.numel(), 0, -1, dtype=torch.float64, device=rising.device) - 0.5
    return -left / sum(weight.shape)


SCOPES: dict[str, Scope] = {
    "global": as_they_are,
    "std": per_deviation,
    "lamp": lamp,
    "erk": erk,
}

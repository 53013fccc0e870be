"""Structured sparsity learning: train with a penalty on whole channels, then cut the smallest.

Wen et al., "Learning Structured Sparsity in Deep Neural Networks", NeurIPS 2016, arXiv:1608.03665,
over the coupled channels of DepGraph (Fang et al., CVPR 2023, arXiv:2301.12900), whose own sparse
training is penalty depgraph; penalty bn is network slimming (Liu et al., ICCV 2017,
arXiv:1708.06519). The authors' filter shapes and whole branches are not built, and zeros come of
the proximal step, where the authors round what is small.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from kdprune.methods import checked
from kdprune.pruning import criteria, groups, structured
from kdprune.pruning.groups import IN, OUT, Group
from kdprune.pruning.pruned import Pruned
from kdprune.pruning.trained import OnLabels, Train

BASE = 16.0  # DepGraph's: the smallest channel shrinks so many times faster than the largest
Part = tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]  # tensor, indices, channels, dimension


@checked
def prune(
    model: nn.Module,
    levels: Sequence[float],
    *,
    train: Train,
    input_size: int = 32,
    penalty: Literal["group", "depgraph", "bn"] = "group",
    strength: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 1e-3,
    epochs: Annotated[int, Field(ge=1, le=10000)] = 20,
    lr: Annotated[float, Field(gt=0, le=1000000, allow_inf_nan=False)] = 0.01,
) -> Iterator[Pruned]:
    """Yield `model` cut to each level after one training of `epochs` at `lr` with the penalty.

    Every level but 0, which is `model` as it is, is cut from that one network
    (`structured.remove`), by the norm of a channel over all that makes it, or with penalty bn by
    its batch norm's abs(γ). Weights have no decay beside the penalties group and depgraph. Raises
    KdpruneError, before it trains, for levels out of reach.
    """
    rank = criteria.chosen("bn", input_size=input_size) if penalty == "bn" else by_norm
    dense = next(structured.remove(model, [0.0, *levels], rank, input_size=input_size))
    rest = [level for level in levels if level > 0]
    if len(rest) < len(levels):
        yield dense
    if not rest:
        return
    task = Penalised(
        copy.deepcopy(model).requires_grad_(True),
        groups.find(model, input_size),
        penalty=penalty,
        strength=strength,
        lr=lr,
    )
    train(task, epochs=epochs, lr=lr, weight_decay=None if penalty == "bn" else 0.0)
    task.settle()
    yield from structured.remove(task.network, rest, rank, input_size=input_size)


def spent(rises: int, given: Mapping[str, Any]) -> float:
    """Return the epochs of plain training that `rises` levels cost: one training for all levels."""
    return given["epochs"] if rises else 0


class Penalised(OnLabels):
    """A network whose channels are shrunk while it is trained.

    Penalty group takes a step of its own behind each of the optimiser's, at the beginning of the
    next forward pass; `settle` takes the last one.
    """

    capturable = False

    def __init__(
        self,
        network: nn.Module,
        found: Sequence[Group],
        *,
        penalty: str,
        strength: float,
        lr: float,
    ) -> None:
        super().__init__(network)
        self.penalty, self.strength, self.lr = penalty, strength, lr
        consumers = penalty == "depgraph"
        self._groups = [(group.size, parts(network, group, consumers)) for group in found]
        self.register_buffer("stepped", torch.zeros((), dtype=torch.bool))

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar}."""
        self.settle()
        loss = super().forward(images, labels, indices)["loss"]
        if self.strength and self.penalty != "group":
            loss = loss + self.strength * self._penalty()
        self.stepped.fill_(True)
        return {"loss": loss}

    @torch.no_grad()
    def settle(self) -> None:
        """Shrink channels by what the optimiser's last step leaves to the penalty."""
        if not (self.stepped and self.strength and self.penalty == "group"):
            return
        for size, held in self._groups:
            left = shrunk(norms(size, held), self.lr * self.strength)
            for tensor, indices, channels, dim in held:
                shape = [1] * tensor.dim()
                shape[dim] = -1
                factors = torch.ones(tensor.shape[dim], dtype=tensor.dtype, device=tensor.device)
                factors[indices] = left[channels].to(tensor.dtype)
                tensor.mul_(factors.view(shape))
        self.stepped.fill_(False)

    def _penalty(self) -> torch.Tensor:
        total = torch.zeros((), device=self.stepped.device)
        for size, held in self._groups:
            if self.penalty == "bn":
                # of joined maps, a batch norm's channels lie in several groups: each counts once
                scales = (one[indices] for one, indices, *_ in held if one.dim() == 1)
                total = total + sum(chosen.abs().sum() for chosen in scales)
            else:
                with torch.no_grad():
                    faster = haste(norms(size, held))
                total = total + (faster * squares(size, held)).sum().to(total.dtype) / 2
        return total


def parts(model: nn.Module, group: Group, consumers: bool = False) -> list[Part]:
    """Return the weights that make a group's channels, batch norm's scales, and what they feed."""
    held = []
    for site in group.sites:
        layer = model.get_submodule(site.layer)
        fed = site.side == IN and (not consumers or getattr(layer, "groups", 1) > 1)
        if fed or layer.weight is None:
            continue
        place = layer.weight.device
        indices, channels = (
            torch.from_numpy(one).to(place) for one in (site.indices, site.channels)
        )
        held.append((layer.weight, indices, channels, 0 if site.side == OUT else 1))
    return held


def squares(size: int, held: Sequence[Part]) -> torch.Tensor:
    """Return each channel's sum of squares over all its parts, [size] in 64 bits."""
    total = torch.zeros(size, dtype=torch.float64, device=held[0][0].device)
    for tensor, indices, channels, dim in held:
        chosen = tensor.transpose(0, dim)[indices].double().reshape(len(indices), -1)
        total = total.index_add(0, channels, chosen.square().sum(1))
    return total


def norms(size: int, held: Sequence[Part]) -> torch.Tensor:
    """Return each channel's Euclidean norm over all its parts; no factor for their number."""
    return squares(size, held).sqrt()


def shrunk(lengths: torch.Tensor, step: float) -> torch.Tensor:
    """Return the factor of the proximal step of the group lasso: max(0, 1 - step / norm)."""
    return torch.where(lengths > step, 1 - step / lengths.clamp(min=1e-300), 0.0)


def haste(lengths: torch.Tensor) -> torch.Tensor:
    """Return how fast each channel shrinks under DepGraph: BASE^((max - I) / (max - min))."""
    span = lengths.max() - lengths.min()
    if span == 0:
        return torch.ones_like(lengths)
    return BASE ** ((lengths.max() - lengths) / span)


def by_norm(model: nn.Module, found: Sequence[Group]) -> list[np.ndarray]:
    """Rank the channels of each group by their norms."""
    with torch.no_grad():
        lengths = [norms(group.size, parts(model, group)).cpu().numpy() for group in found]
    return [np.argsort(one, kind="stable") for one in lengths]

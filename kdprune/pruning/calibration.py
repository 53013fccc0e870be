"""What methods that look at data look at: one fixed draw of training images, and gradients on it.

Molchanov et al., CVPR 2019, arXiv:1906.10771, score over mini-batches while they train; here the
network stands still, in evaluation mode: before batch norm in training mode, a convolution's scale
does not matter, and w dw sums to nothing.
"""

import copy
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from kdprune.data.augment import normalise, random_crop_flip
from kdprune.errors import KdpruneError
from kdprune.models.building import side_of

BATCH = 64  # fixed: squares of batch means depend on it
VIEWS = "augment"  # as of kdprune.data.augment.augmentation
PARTS = ("train_images", "train_labels", "mean", "std")  # of a data set; no method sees the others


def batches(
    data: Mapping[str, Any] | None, *, images: int, size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield normalised views [B, 3, size, size] of `images` training images, and labels [B].

    `data` has PARTS, and where they are not crops, flipped, the data set's own views (VIEWS).
    Images and views are drawn with fixed seeds, alike on every device; all batches hold BATCH of
    them, or, where there are fewer, there is one. Raises KdpruneError where there are no data.
    """
    if data is None:
        raise KdpruneError(
            "prune.method: what looks at images was given none; hand it data (a mapping of "
            f"{', '.join(PARTS)}), or choose a criterion of weights alone"
        )
    pictures, labels = data["train_images"], data["train_labels"]
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
    chosen = order[: min(images, len(pictures))].to(pictures.device)
    whole = max(len(chosen) // BATCH * BATCH, min(BATCH, len(chosen)))
    views = torch.Generator().manual_seed(0)
    augment = data.get(VIEWS) or partial(random_crop_flip, size=size)
    for part in chosen[:whole].split(BATCH):
        drawn = augment(pictures[part], views)
        yield normalise(drawn, data["mean"], data["std"]), labels[part]


def differentiated(
    model: nn.Module, data: Mapping[str, Any] | None, *, images: int
) -> Iterator[nn.Module]:
    """Yield a copy of `model` per batch, with the gradients of that batch's mean cross-entropy.

    It is the same copy each time: read what is needed before the next.
    """
    network = copy.deepcopy(model).eval().requires_grad_(True)
    for inputs, labels in batches(data, images=images, size=side_of(model)):
        network.zero_grad(set_to_none=True)
        with torch.enable_grad():
            cross_entropy(network(inputs).float(), labels).backward()
        yield network

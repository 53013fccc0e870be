"""Classifiers of pruned networks, tuned with many seeds at once on features computed once."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from kdprune.data.augment import normalise, random_crop_flip
from kdprune.device import at_once
from kdprune.errors import KdpruneError
from kdprune.pruning.pruned import Masks
from kdprune.training.remedies import at_fault

DRAWN = 500  # views drawn together: never what a device evaluates together, for that differs


@torch.inference_mode()
def features(
    model: nn.Module,
    images: torch.Tensor,
    mean: torch.Tensor,
    std: torch.Tensor,
    *,
    views: torch.Generator | None = None,
) -> torch.Tensor:
    """Return what enters the classifier, [N, d], for bytes [N, 3, H, W].

    With `views`, each image is cropped and flipped by a draw from that generator.
    """
    parts = []
    for drawn in images.split(DRAWN):
        seen = drawn if views is None else random_crop_flip(drawn, views)
        for part in seen.split(at_once(images.device)):
            maps = model.forward_features(normalise(part, mean, std))
            parts.append(model.forward_head(maps, pre_logits=True).float())
    return torch.cat(parts)


def train_heads(
    views: torch.Tensor,
    labels: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    *,
    seeds: Sequence[int],
    mask: torch.Tensor | None,
    epochs: int,
    batch_size: int,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Train one copy of a linear classifier per seed, all together.

    views: features [V, N, d] of V augmented views of N images; labels [N]; weight [K, d] and bias
    [K] to start from; mask [K, d], True where a weight is kept, or None. A seed draws each epoch's
    order, and the view of each image. Cross-entropy, SGD as torch.optim.SGD has it, whole batches
    only. Returns weights [S, K, d] and biases [S, K]; masked weights are exactly zero.
    """
    device = views.device
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    count, classes = len(labels), len(bias)
    batch_size = min(batch_size, count)
    weights = weight.detach().float().expand(len(seeds), -1, -1).clone()
    biases = bias.detach().float().expand(len(seeds), -1).clone()
    keep = torch.ones_like(weight) if mask is None else mask.to(weight.dtype)
    weights *= keep
    moving = [torch.zeros_like(weights), torch.zeros_like(biases)]
    for _ in range(epochs):
        order = torch.stack([torch.randperm(count, generator=item) for item in generators])
        chosen = torch.stack(
            [torch.randint(len(views), (count,), generator=item) for item in generators]
        )
        order, chosen = order.to(device), chosen.to(device)
        for batch in range(count // batch_size):
            at = slice(batch * batch_size, (batch + 1) * batch_size)
            inputs = views[chosen[:, at], order[:, at]]  # [S, B, d]
            logits = torch.baddbmm(biases.unsqueeze(1), inputs, weights.transpose(1, 2))
            errors = logits.softmax(2) - functional.one_hot(labels[order[:, at]], classes)
            errors /= batch_size  # the gradient of the mean cross-entropy
            gradients = [torch.bmm(errors.transpose(1, 2), inputs) * keep, errors.sum(1)]
            for value, gradient, buffer in zip((weights, biases), gradients, moving, strict=True):
                gradient.add_(value, alpha=weight_decay)
                buffer.mul_(momentum).add_(gradient)
                value.sub_(gradient.add_(buffer, alpha=momentum) if nesterov else buffer, alpha=lr)
    return weights, biases


def tuned_heads(
    model: nn.Module,
    masks: Masks,
    data: Mapping[str, torch.Tensor],
    *,
    seeds: Sequence[int],
    views: int,
    **training: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tune the classifier once per seed; return its weights [S, K, d] and biases [S, K].

    The network's features are computed once for all seeds. `data` holds train_images,
    train_labels, mean and std; `training` goes to `train_heads`. Raises KdpruneError where the
    tuning diverges.
    """
    generator = torch.Generator().manual_seed(0)  # the same views at every level
    images, stats = data["train_images"], (data["mean"], data["std"])
    seen = [features(model, images, *stats, views=generator) for _ in range(views)]
    head = model.get_classifier()
    name = next(name for name, module in model.named_modules() if module is head)
    weights, biases = train_heads(
        torch.stack(seen),
        data["train_labels"],
        head.weight.detach(),
        head.bias.detach(),
        seeds=seeds,
        mask=masks.get(f"{name}.weight"),
        **training,
    )
    if not (weights.isfinite().all() and biases.isfinite().all()):
        key = at_fault(training)
        raise KdpruneError(
            f"prune.finetune.{key} = {training[key]}: the tuning of the classifier diverges; "
            "lower it"
        )
    return weights, biases

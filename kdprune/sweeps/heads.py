"""Classifiers of pruned networks, tuned with many seeds at once on features computed once."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from kdprune.data.augment import Augment, normalise, random_crop_flip
from kdprune.device import at_once
from kdprune.errors import KdpruneError
from kdprune.pruning.pruned import Pruned
from kdprune.sweeps.finetune import FineTune
from kdprune.training.recipe import Recipe
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
    augment: Augment = random_crop_flip,
) -> torch.Tensor:
    """Return what enters the classifier, [N, d], for bytes [N, 3, H, W].

    With `views`, each image is augmented by a draw from that generator.
    """
    parts = []
    for drawn in images.split(DRAWN):
        seen = drawn if views is None else augment(drawn, views)
        for part in seen.split(at_once(images.device)):
            maps = model.forward_features(normalise(part, mean, std))
            parts.append(model.forward_head(maps, pre_logits=True).float())
    return torch.cat(parts)


def train_heads(
    views: torch.Tensor,
    labels: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    mask: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Train one copy of a linear classifier per seed, all together.

    views: features [V, N, d] of V augmented views of N images; labels [N]; weight [K, d] and bias
    [K] to start from; mask [K, d], True where a weight is kept, or None. A seed draws each epoch's
    order, and the view of each image. Cross-entropy, SGD as torch.optim.SGD has it, whole batches
    only. Returns weights [S, K, d] and biases [S, K]; masked weights are exactly zero.
    """
    # Sizes: S seeds, V views, N images, B of a batch, K classes, d features
    device = views.device
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    count, classes = len(labels), len(bias)
    batch_size = min(recipe.batch_size, count)

    # One copy of the classifier per seed
    weights_skd = weight.detach().float().expand(len(seeds), -1, -1).clone()
    biases_sk = bias.detach().float().expand(len(seeds), -1).clone()
    keep_kd = torch.ones_like(weight) if mask is None else mask.to(weight.dtype)
    weights_skd *= keep_kd
    momenta = [torch.zeros_like(weights_skd), torch.zeros_like(biases_sk)]

    for _ in range(recipe.epochs):
        # Each seed's order of images, and its view of each
        order_sn = torch.stack([torch.randperm(count, generator=item) for item in generators])
        view_sn = torch.stack(
            [torch.randint(len(views), (count,), generator=item) for item in generators]
        )
        order_sn, view_sn = order_sn.to(device), view_sn.to(device)

        for batch in range(count // batch_size):
            # The gradient of the mean cross-entropy
            at = slice(batch * batch_size, (batch + 1) * batch_size)
            inputs_sbd = views[view_sn[:, at], order_sn[:, at]]
            logits_sbk = torch.baddbmm(
                biases_sk.unsqueeze(1), inputs_sbd, weights_skd.transpose(1, 2)
            )
            goals_sbk = functional.one_hot(labels[order_sn[:, at]], classes)
            errors_sbk = logits_sbk.softmax(2) - goals_sbk
            errors_sbk /= batch_size
            gradient_skd = torch.bmm(errors_sbk.transpose(1, 2), inputs_sbd) * keep_kd
            gradients = [gradient_skd, errors_sbk.sum(1)]

            # SGD
            values = weights_skd, biases_sk
            for value, gradient, momentum in zip(values, gradients, momenta, strict=True):
                gradient.add_(value, alpha=recipe.weight_decay)
                momentum.mul_(recipe.momentum).add_(gradient)
                step = gradient.add_(momentum, alpha=recipe.momentum)
                value.sub_(step if recipe.nesterov else momentum, alpha=recipe.lr)
    return weights_skd, biases_sk


def tuned_heads(
    pruned: Pruned,
    data: Mapping[str, torch.Tensor],
    finetune: FineTune,
    *,
    seeds: Sequence[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tune the classifier once per seed; return its weights [S, K, d] and biases [S, K].

    The network's features are computed once for all seeds. `data` holds train_images,
    train_labels, mean and std. Raises KdpruneError where the tuning diverges.
    """
    generator = torch.Generator().manual_seed(0)  # the same views at every level
    model, images, stats = pruned.model, data["train_images"], (data["mean"], data["std"])
    seen = [
        features(model, images, *stats, views=generator, augment=finetune.augment)
        for _ in range(finetune.views)
    ]
    head = model.get_classifier()
    name = next(name for name, module in model.named_modules() if module is head)
    weights, biases = train_heads(
        torch.stack(seen),
        data["train_labels"],
        head.weight.detach(),
        head.bias.detach(),
        finetune.recipe(),
        seeds=seeds,
        mask=pruned.masks.get(f"{name}.weight"),
    )
    if not (weights.isfinite().all() and biases.isfinite().all()):
        key = at_fault(finetune.recipe())
        raise KdpruneError(
            f"prune.finetune.{key} = {getattr(finetune, key)}: the tuning of the classifier "
            "diverges; lower it"
        )
    return weights, biases

"""Classifiers of pruned networks, tuned with many seeds at once on features computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from kdprune.errors import KdpruneError
from kdprune.pruning.pruned import Pruned
from kdprune.sweeps.finetune import LABELS, FineTune
from kdprune.sweeps.tutor import Tutor, views
from kdprune.training.recipe import Recipe
from kdprune.training.remedies import at_fault

HINTONS = "kd"  # the one distillation method that has a closed form for heads
DEFAULTS = {"ce": 1.0, "kd": 1.0, "temperature": 4.0}  # those of its signature


@dataclass(frozen=True)
class Taught:
    """Hinton's loss for heads: ce · cross-entropy + kd · T² KL(teacher ‖ student).

    `logits` [V, N, K] are the teacher's of the same views.
    """

    logits: torch.Tensor
    ce: float
    kd: float
    temperature: float

    def errors(
        self, plain: torch.Tensor, logits: torch.Tensor, wanted: torch.Tensor
    ) -> torch.Tensor:
        """Return the loss's gradient [S, B, K] by `logits`; `plain` is that of cross-entropy.

        `wanted` are the teacher's logits [S, B, K]. T² of the loss, over T of the softening.
        """
        heat = self.temperature
        softer = (logits / heat).softmax(2) - (wanted / heat).softmax(2)
        return self.ce * plain + self.kd * heat * softer


def train_heads(
    seen: torch.Tensor,
    labels: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    mask: torch.Tensor | None,
    taught: "Taught | None" = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Train one copy of a linear classifier per seed, all together.

    seen: features [V, N, d] of V augmented views of N images; labels [N]; weight [K, d] and bias
    [K] to start from; mask [K, d], True where a weight is kept, or None. A seed draws each epoch's
    order, and the view of each image. Cross-entropy, or with `taught` Hinton's loss, by its closed
    gradient; SGD as torch.optim.SGD has it, whole batches only. Returns weights [S, K, d] and
    biases [S, K]; masked weights are exactly zero.
    """
    # Sizes: S seeds, V views, N images, B of a batch, K classes, d features
    device = seen.device
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    count, classes = len(labels), len(bias)
    batch_size = min(recipe.batch_size, count)
    batches = count // batch_size

    # One copy of the classifier per seed
    weights_skd = weight.detach().float().expand(len(seeds), -1, -1).clone()
    biases_sk = bias.detach().float().expand(len(seeds), -1).clone()
    keep_kd = torch.ones_like(weight) if mask is None else mask.to(weight.dtype)
    weights_skd *= keep_kd
    momenta = [torch.zeros_like(weights_skd), torch.zeros_like(biases_sk)]

    for epoch in range(recipe.epochs):
        # Each seed's order of images, and its view of each
        order_sn = torch.stack([torch.randperm(count, generator=item) for item in generators])
        view_sn = torch.stack(
            [torch.randint(len(seen), (count,), generator=item) for item in generators]
        )
        order_sn, view_sn = order_sn.to(device), view_sn.to(device)

        for batch in range(batches):
            # The gradient of the mean loss by the logits
            at = slice(batch * batch_size, (batch + 1) * batch_size)
            inputs_sbd = seen[view_sn[:, at], order_sn[:, at]]
            logits_sbk = torch.baddbmm(
                biases_sk.unsqueeze(1), inputs_sbd, weights_skd.transpose(1, 2)
            )
            goals_sbk = functional.one_hot(labels[order_sn[:, at]], classes)
            errors_sbk = logits_sbk.softmax(2) - goals_sbk
            if taught is not None:
                wanted_sbk = taught.logits[view_sn[:, at], order_sn[:, at]]
                errors_sbk = taught.errors(errors_sbk, logits_sbk, wanted_sbk)
            errors_sbk /= batch_size
            gradient_skd = torch.bmm(errors_sbk.transpose(1, 2), inputs_sbd) * keep_kd
            gradients = [gradient_skd, errors_sbk.sum(1)]

            # SGD
            rate = recipe.rate(epoch * batches + batch, batches)
            values = weights_skd, biases_sk
            for value, gradient, momentum in zip(values, gradients, momenta, strict=True):
                gradient.add_(value, alpha=recipe.weight_decay)
                momentum.mul_(recipe.momentum).add_(gradient)
                step = gradient.add_(momentum, alpha=recipe.momentum)
                value.sub_(step if recipe.nesterov else momentum, alpha=rate)
    return weights_skd, biases_sk


def tuned_heads(
    pruned: Pruned,
    data: Mapping[str, torch.Tensor],
    finetune: FineTune,
    *,
    seeds: Sequence[int],
    tutor: Tutor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tune the classifier once per seed; return its weights [S, K, d] and biases [S, K].

    The network's features are computed once for all seeds. `data` holds train_images,
    train_labels, mean and std; `tutor` is learned from, where the objective is no labels'. Raises
    KdpruneError where the tuning diverges.
    """
    model = pruned.model
    head = model.get_classifier()
    name = next(name for name, module in model.named_modules() if module is head)
    weights, biases = train_heads(
        torch.stack(views(model, data, finetune.views, finetune.augment)),
        data["train_labels"],
        head.weight.detach(),
        head.bias.detach(),
        finetune.recipe(),
        seeds=seeds,
        mask=pruned.masks.get(f"{name}.weight"),
        taught=_taught(finetune, tutor, data),
    )
    if not (weights.isfinite().all() and biases.isfinite().all()):
        key = at_fault(finetune.recipe())
        raise KdpruneError(
            f"prune.finetune.{key} = {getattr(finetune, key)}: the tuning of the classifier "
            "diverges; lower it"
        )
    return weights, biases


def _taught(
    finetune: FineTune, tutor: Tutor | None, data: Mapping[str, torch.Tensor]
) -> Taught | None:
    if tutor is None or finetune.objective == LABELS:
        return None
    if finetune.objective != HINTONS:
        raise KdpruneError(
            f"prune.finetune.objective: {finetune.objective} tunes more than a head; "
            "use scope: all, or objective: labels or kd"
        )
    return Taught(
        tutor.logits(data, finetune.views, finetune.augment), **DEFAULTS | dict(finetune.settings)
    )

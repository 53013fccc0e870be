"""Batch-norm statistics of a pruned network, estimated anew."""

import torch
from torch import nn

from kdprune.data.augment import Augment, normalise, random_crop_flip

BATCH = 256


@torch.inference_mode()
def re_estimate(
    model: nn.Module,
    images: torch.Tensor,
    mean: torch.Tensor,
    std: torch.Tensor,
    *,
    count: int,
    augment: Augment = random_crop_flip,
) -> None:
    """Estimate all batch-norm statistics from `count` of `images` [N, 3, H, W], without labels.

    Pruning shifts what reaches every batch norm; statistics of the dense network hide what the
    pruned one can do. The images are seen through `augment`, as in training: statistics of plain
    images are not those that the weights were trained with, and cost the unpruned teachers of
    profile mini one to two points. Every batch counts alike; everything but batch norm stays in
    evaluation mode. Images and views are drawn with fixed seeds, alike on every device, as data
    sets may be sorted by class.
    """
    norms = [item for item in model.modules() if isinstance(item, nn.modules.batchnorm._BatchNorm)]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    chosen = order[: min(count, len(images))].to(images.device)
    views = torch.Generator().manual_seed(0)
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over batches
        norm.train()
    for part in chosen.split(BATCH):
        if len(part) > 1:  # one image has no batch statistics
            model(normalise(augment(images[part], views), mean, std))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()

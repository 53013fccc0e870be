"""What enters a network's classifier."""

import torch
from torch import nn

from kdprune.data.augment import Augment, normalise, random_crop_flip
from kdprune.data.stored import parts
from kdprune.device import at_once

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
    entering = []
    with parts(images, DRAWN) as read:
        for drawn in read:
            seen = drawn if views is None else augment(drawn, views)
            for part in seen.split(at_once(images.device)):
                maps = model.forward_features(normalise(part, mean, std))
                entering.append(model.forward_head(maps, pre_logits=True).float())
    return torch.cat(entering)

"""The network that a pruned one learns from while it is tuned."""

from collections.abc import Mapping

import torch
from torch import nn

from kdprune.data.augment import Augment, random_crop_flip
from kdprune.sweeps.features import features


class Tutor:
    """A trained network, and its logits of the views that heads are tuned on, computed once."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval()
        self._logits: torch.Tensor | None = None

    def logits(
        self, data: Mapping[str, torch.Tensor], count: int, augment: Augment = random_crop_flip
    ) -> torch.Tensor:
        """Return its logits [V, N, K] of `count` views of each training image.

        The views are those of `kdprune.sweeps.heads.tuned_heads`, and every call wants the same.
        """
        if self._logits is None:
            classify = self.network.get_classifier()
            seen = views(self.network, data, count, augment)
            with torch.inference_mode():
                self._logits = torch.stack([classify(one).float() for one in seen])
        return self._logits


def views(
    model: nn.Module,
    data: Mapping[str, torch.Tensor],
    count: int,
    augment: Augment = random_crop_flip,
) -> list[torch.Tensor]:
    """Return what enters the classifier, [N, d], for `count` views of each training image.

    The same views for every network, and at every level.
    """
    generator = torch.Generator().manual_seed(0)
    stats = data["mean"], data["std"]
    return [
        features(model, data["train_images"], *stats, views=generator, augment=augment)
        for _ in range(count)
    ]

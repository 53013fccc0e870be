"""The network that SimKD deploys: encoder, projector, and the teacher's own classifier.

Chen et al., "Knowledge Distillation with the Reused Teacher Classifier", CVPR 2022,
arXiv:2203.14001.
"""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from kdprune.errors import KdpruneError
from kdprune.models.building import side_of

LAST = {"relu": nn.ReLU, "identity": nn.Identity}


class Projector(nn.Sequential):
    """SimKD's projector: 1x1, 3x3 and 1x1 convolutions, each with batch norm.

    [B, in, H, W] -> [B, out, H, W] through `out // factor` channels. `last` must be able to
    represent the teacher's features: "relu" where they are never negative, "identity" where they
    are, as behind SiLU (the original has ReLU throughout).
    """

    def __init__(self, in_channels: int, out_channels: int, factor: float, last: str) -> None:
        middle = max(1, int(out_channels // factor))
        super().__init__(
            nn.Conv2d(in_channels, middle, 1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, middle, 3, padding=1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            LAST[last](),
        )


class ReusedClassifier(nn.Module):
    """Encoder + projector + average pooling + the teacher's linear classifier.

    Offers timm's API. The encoder's own classifier is removed: nothing trains it and nothing
    uses it. Pruning leaves the channels that enter the classifier alone.
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: Projector,
        classifier: nn.Linear,
        size: int | None = None,
    ) -> None:
        super().__init__()
        self.input_size = side_of(encoder)
        self.size = size  # to which larger maps are averaged before the projector
        encoder.reset_classifier(0)
        self.encoder = encoder
        self.projector = projector
        self.classifier = classifier

    @classmethod
    def blank(
        cls,
        encoder: nn.Module,
        *,
        classes: int,
        out_channels: int,
        factor: float,
        last: str,
        size: int | None = None,
    ) -> "ReusedClassifier":
        """Build the network around an encoder with a fresh projector and classifier."""
        projector = Projector(encoder.num_features, out_channels, factor, last)
        return cls(encoder, projector, nn.Linear(out_channels, classes), size)

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> [B, C, h, w]: maps in the teacher's feature space."""
        return self.project(self.encoder.forward_features(images))

    def project(self, maps: torch.Tensor) -> torch.Tensor:
        """[B, c, H, W] of the encoder -> [B, C, h, w]: maps in the teacher's feature space."""
        if self.size is not None:
            maps = functional.adaptive_avg_pool2d(maps, self.size)
        return self.projector(maps)

    def forward_head(self, maps: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Pool the maps to [B, C]; go on to the logits [B, classes] unless `pre_logits`."""
        pooled = functional.adaptive_avg_pool2d(maps, 1).flatten(1)
        return pooled if pre_logits else self.classifier(pooled)

    def get_classifier(self) -> nn.Linear:
        """Return the (copied) classifier of the teacher."""
        return self.classifier

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> logits [B, classes]."""
        return self.forward_head(self.forward_features(images))


def describe(
    teacher: nn.Module, student: nn.Module, factor: float, probe: torch.Tensor
) -> dict[str, Any]:
    """Return the arguments of `ReusedClassifier.blank` that fit a teacher and a student.

    The last activation is ReLU where the teacher's features on `probe` [B, 3, H, W] are never
    negative, and the identity elsewhere. A `size`, the teacher's, is there where the student's maps
    are larger: as the authors do, they are averaged before the projector. Raises KdpruneError as
    `pooled_maps` does, for both.
    """
    maps, ours = pooled_maps(teacher, probe), pooled_maps(student, probe)
    last = "relu" if bool((maps >= 0).all()) else "identity"
    arguments = {"out_channels": maps.shape[1], "factor": factor, "last": last}
    return arguments | ({"size": maps.shape[2]} if ours.shape[2] > maps.shape[2] else {})


def pooled_maps(model: nn.Module, probe: torch.Tensor) -> torch.Tensor:
    """Return a network's last feature maps [B, C, h, w] on `probe` [B, 3, H, W].

    Raises KdpruneError unless its classifier reads their average over places, and nothing else: a
    reused classifier would otherwise lack what lies between, a norm in ConvNeXt, a convolution in
    MobileNetV3.
    """
    training = model.training
    model.eval()
    with torch.no_grad():
        maps, logits = model.forward_features(probe), model(probe)
        classifier = model.get_classifier()
        fits = maps.dim() == 4 and maps.shape[1] == classifier.in_features
        fits = fits and torch.allclose(
            classifier(maps.mean((2, 3))), logits, rtol=1e-3, atol=1e-3 * float(logits.abs().max())
        )
    model.train(training)
    if not fits:
        raise KdpruneError(
            f"distill.method: simkd reuses a classifier that reads averaged feature maps, which "
            f"{type(model).__name__}'s does not; use another method for this network"
        )
    return maps


def frozen(classifier: nn.Linear) -> nn.Linear:
    """Return a copy of a classifier that no optimiser changes."""
    return copy.deepcopy(classifier).requires_grad_(False)

"""What a distillation method looks at: a network's maps, pooled features and logits, in one pass.

Nothing is hooked or patched: stage maps come from timm's API or, where it has none behind the
activation or the pool, from the network's own children called in order.
"""

from typing import NamedTuple

import torch
from timm.models import DenseNet, EfficientNet, ResNet
from torch import nn
from torch.nn import functional

from kdprune.errors import KdpruneError
from kdprune.models.building import side_of
from kdprune.models.composite import ReusedClassifier

FIRST = 1  # the stages that methods compare begin behind the stem, which is `Taps.stages[0]`


class Taps(NamedTuple):
    """One pass through a network, on B images."""

    stages: list[torch.Tensor]  # [B, C, H, W] each: stem, then the stages' ends
    last: torch.Tensor  # [B, C, h, w]: what the classifier pools
    pooled: torch.Tensor  # [B, d]
    logits: torch.Tensor  # [B, classes]


def taps(network: nn.Module, images: torch.Tensor, *, stages: bool = True) -> Taps:
    """Return what `network` makes of images [B, 3, H, W]; with no stage maps unless `stages`.

    ResNet: the stem behind its pool, layer1 to layer4. DenseNet: the stem behind its pool, the
    transitions' outputs, the last norm behind its ReLU. EfficientNet and MobileNetV1: the stem and
    the ends of the stages before each halving, and of the last. A SimKD composite: its encoder's;
    what its classifier pools lies behind the projector. Any other network of timm: what
    its `forward_intermediates` returns, of which the first counts as the stem. All but the linear
    ends of EfficientNet's blocks and of DenseNet's transitions lie behind their activation. Raises
    KdpruneError for a network that has no stage maps.
    """
    last, maps = _maps(network, images) if stages else (network.forward_features(images), [])
    pooled = network.forward_head(last, pre_logits=True)
    return Taps(maps, last, pooled, network.get_classifier()(pooled))


def probed(network: nn.Module, *, stages: bool = True) -> Taps:
    """Return the taps of two random images of its size, in evaluation mode: for sizes and signs.

    The network is left in the mode that it was in.
    """
    side = side_of(network)
    probe = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    training = network.training
    with torch.no_grad():
        seen = taps(network.eval(), probe.to(next(network.parameters()).device), stages=stages)
    network.train(training)
    return seen


def pairs(student: Taps, teacher: Taps) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return the stage maps of both side by side, without the stems.

    Where one network has more stages than the other, its first ones are left out.
    """
    ours, theirs = student.stages[FIRST:], teacher.stages[FIRST:]
    count = min(len(ours), len(theirs))
    return list(zip(ours[-count:], theirs[-count:], strict=True))


def aligned(one: torch.Tensor, two: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Average the larger of two maps [B, C, H, W] down to the size of the smaller."""
    size = min(one.shape[2], two.shape[2]), min(one.shape[3], two.shape[3])
    return _averaged(one, size), _averaged(two, size)


def last_activation(maps: torch.Tensor) -> nn.Module:
    """Return the activation that can represent `maps`: ReLU where none is negative, else none.

    The published regressors end in ReLU throughout, which cannot follow features behind SiLU.
    """
    return nn.ReLU() if bool((maps >= 0).all()) else nn.Identity()


def _averaged(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return maps if maps.shape[2:] == size else functional.adaptive_avg_pool2d(maps, size)


def _maps(network: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the last map and the stages'."""
    if isinstance(network, ReusedClassifier):
        encoded, stages = _maps(network.encoder, images)
        return network.project(encoded), stages
    if isinstance(network, DenseNet):
        return _dense_maps(network, images)
    if isinstance(network, ResNet):
        last, (stem, *stages) = network.forward_intermediates(images)
        return last, [network.maxpool(stem), *stages]  # timm takes the stem before its pool
    if isinstance(network, EfficientNet):
        ends = [0, *network.stage_ends[1:]]  # 0 is the stem, where timm begins with a block
        last, stages = network.forward_intermediates(images, indices=ends, extra_blocks=True)
        return last, stages
    if not hasattr(network, "forward_intermediates"):
        raise KdpruneError(
            f"pairs: {type(network).__name__} gives no stage maps to learn from or with; "
            "distil with none, kd, sp, crd, srrl, fn or simkd"
        )
    return network.forward_intermediates(images)


def _dense_maps(network: DenseNet, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Call the layers in order: timm taps the blocks before their norm, activation and pool."""
    maps, stages = images, []
    for name, layer in network.features.named_children():
        maps = layer(maps)
        if name == "pool0" or name.startswith("transition"):
            stages.append(maps)
    return maps, [*stages, maps]

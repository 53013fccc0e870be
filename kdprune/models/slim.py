"""Slim members of families whose timm functions fix width and depth, in timm's registry.

EfficientNet (Tan & Le, ICML 2019, arXiv:1905.11946) scales one network by a factor of width and one
of depth, MobileNet (Howard et al. 2017, arXiv:1704.04861) by one of width; timm's functions have
one pair of factors each. Here both are arguments, so that a family of networks keeps the order of
the published one at a size that a laptop trains.
"""

from typing import Any

from timm.models import efficientnet, register_model
from torch import nn

from kdprune.errors import KdpruneError


@register_model
def slim_efficientnet(
    pretrained: bool = False,
    channel_multiplier: float = 1.0,
    depth_multiplier: float = 1.0,
    **kwargs: Any,
) -> nn.Module:
    """Return EfficientNet-B0 scaled by two factors: channels, and blocks of each stage."""
    _demand_own_start(pretrained)
    return efficientnet._gen_efficientnet(
        "efficientnet_b0", channel_multiplier, depth_multiplier, **kwargs
    )


@register_model
def slim_mobilenetv1(
    pretrained: bool = False,
    channel_multiplier: float = 1.0,
    depth_multiplier: float = 1.0,
    **kwargs: Any,
) -> nn.Module:
    """Return MobileNetV1 scaled by two factors: channels, and blocks of each stage."""
    _demand_own_start(pretrained)
    return efficientnet._gen_mobilenet_v1(
        "mobilenetv1_100", channel_multiplier, depth_multiplier, **kwargs
    )


def _demand_own_start(pretrained: bool) -> None:
    if pretrained:
        raise KdpruneError("model.pretrained: slim networks have no ImageNet weights; say false")

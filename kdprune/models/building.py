"""Networks, built by name through timm.

Every network here offers timm's API: `forward_features(x)` [B, C, H, W], the maps that the
classifier pools; `forward_head(maps, pre_logits=True)` [B, d], the pooled features;
`get_classifier()`, the last nn.Linear; and `forward(x)`, the logits [B, classes].
"""

from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import nn

from kdprune.device import arrange
from kdprune.errors import KdpruneError, nearest, out_of_memory
from kdprune.models.stems import cifar_stem
from kdprune.untrusted import refusal

SIZE = 32  # pixels: the side of CIFAR's images


def side_of(model: nn.Module) -> int:
    """Return the side in pixels of the images that a network is for."""
    return getattr(model, "input_size", SIZE)


def build(
    timm_name: str,
    *,
    classes: int,
    stem: str = "imagenet",
    kwargs: Mapping[str, Any] | None = None,
    size: int = SIZE,
    pretrained: bool = False,
    seed: int | None = None,
) -> nn.Module:
    """Build a timm network with `classes` outputs.

    `size` is the side in pixels of the images that it is for; the result has it as `input_size`.
    `stem` "imagenet" leaves the network as timm builds it; "cifar" gives its first convolution
    stride 1 and drops the pool behind it (models.stems). `seed` fixes the initial weights and
    leaves the global generator as it was. Raises KdpruneError for unknown names, arguments that
    the constructor or `kdprune.untrusted` refuses, networks without a linear classifier that has a
    bias, and weights out of reach.
    """
    if not timm.is_model(timm_name):  # knows tags too, as in resnet10t.c3_in1k
        hint = nearest(timm_name, timm.list_models())
        raise KdpruneError(f"architectures: timm has no network {timm_name!r}; {hint}")
    if fault := refusal(kwargs or {}):
        raise KdpruneError(f"architectures: {timm_name}: kwargs.{fault}")
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        try:
            model = timm.create_model(
                timm_name, pretrained=pretrained, num_classes=classes, **dict(kwargs or {})
            )
        except KdpruneError:  # it grew above a limit (models.limits)
            raise
        except Exception as error:  # whatever timm's many constructors raise
            if out_of_memory(error):
                raise
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            if pretrained and isinstance(error, (OSError, RuntimeError)):
                raise KdpruneError(
                    f"model.pretrained: weights of {timm_name} cannot be had "
                    f"({type(error).__name__}); set pretrained: false or make the hub reachable"
                ) from None
            raise KdpruneError(
                f"architectures: timm cannot build {timm_name} with {dict(kwargs or {})} ({reason})"
            ) from None
        if stem == "cifar":
            cifar_stem(model, timm_name)
    head = model.get_classifier()
    if not isinstance(head, nn.Linear) or head.bias is None:
        raise KdpruneError(
            f"architectures: {timm_name} does not end in one linear classifier with a bias"
        )
    model.input_size = size
    return arrange(model)

"""Stems for 32x32 images."""

from torch import nn

from kdprune.errors import KdpruneError

POOLS = ("maxpool", "features.pool0")  # where timm's ResNets and DenseNets pool behind the stem


def cifar_stem(model: nn.Module, name: str = "the network") -> None:
    """Change `model` in place for 32x32 images: first convolution 3x3 with stride 1, no pool.

    The usual CIFAR stem of ResNets (He et al., CVPR 2016, arXiv:1512.03385), and its natural
    equivalent for DenseNets, EfficientNets and MobileNets: resolution is halved two steps (one
    step, where there is no pool) less than in the published networks. One that begins with such a
    convolution keeps it, weights and all. Raises KdpruneError where the first convolution is not to
    be found.
    """
    where: str = (getattr(model, "pretrained_cfg", None) or {}).get("first_conv") or ""
    try:
        first = model.get_submodule(where)
    except (AttributeError, TypeError):
        first = None
    while isinstance(first, nn.Sequential):  # a deep stem begins with a convolution
        where, first = f"{where}.0", first[0]
    if not isinstance(first, nn.Conv2d) or first.kernel_size == first.stride:  # cuts patches
        raise KdpruneError(f"model.stem: {name} has no known first convolution; use stem: imagenet")
    if (first.kernel_size, first.stride, first.padding) != ((3, 3), (1, 1), (1, 1)):
        _replace(model, where, first)
    for pool in POOLS:
        try:
            model.get_submodule(pool)
        except AttributeError:
            continue
        model.set_submodule(pool, nn.Identity())


def _replace(model: nn.Module, where: str, first: nn.Conv2d) -> None:
    replacement = nn.Conv2d(
        first.in_channels,
        first.out_channels,
        kernel_size=3,
        stride=1,
        padding=1,
        bias=first.bias is not None,
    )
    nn.init.kaiming_normal_(replacement.weight, mode="fan_out", nonlinearity="relu")
    if replacement.bias is not None:
        nn.init.zeros_(replacement.bias)
    model.set_submodule(where, replacement)

"""The field's own networks for 32x32 images, in timm's registry: timm has none of them.

As the tables of published distillation have them (CRD's authors' toolbox RepDistiller, and SimKD's,
which took them over): layout, widths and first weights. They keep the images' size in the stem, so
both values of `model.stem` give the same network. Stage maps are those toolboxes' too: behind the
activation, but for wide ResNets, whose stages end in sums without one.

ResNet: He et al., CVPR 2016, arXiv:1512.03385, Sec. 4.2, with 1x1 convolutions where a shortcut
changes width. Wide ResNet: Zagoruyko and Komodakis, BMVC 2016, arXiv:1605.07146, without dropout.
VGG: Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556, with batch norm and one linear layer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.models.cifar_layout import Block, Cifar, PreBlock, conv3


def resnet(*, num_classes: int, depth: int, widths: Sequence[int], in_chans: int = 3) -> Cifar:
    """Return a ResNet of `depth` 6n + 2 layers; `widths` of the stem and of three stages."""
    parts = [nn.Sequential(*_normed(in_chans, widths[0], bias=False))]
    parts += _residual(Block, depth - 2, widths)
    return Cifar([*parts, nn.Identity()], widths, [1, 1, 2, 4], num_classes)


def wide_resnet(*, num_classes: int, depth: int, widths: Sequence[int], in_chans: int = 3) -> Cifar:
    """Return a wide ResNet of `depth` 6n + 4 layers; `widths` of the stem and of three stages."""
    parts = [conv3(in_chans, widths[0]), *_residual(PreBlock, depth - 4, widths)]
    end = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True))
    return Cifar([*parts, end], widths, [1, 1, 2, 4], num_classes)


def vgg(*, num_classes: int, depth: int, widths: Sequence[int], in_chans: int = 3) -> Cifar:
    """Return a VGG of five groups of (`depth` - 3) / 5 layers; the first counts as the stem.

    A pool stands before all groups but the first and the last. (Layers as the names count them: two
    more linear ones were published.)
    """
    each = _whole(depth - 3, 5)
    groups: list[nn.Module] = []
    for inputs, outputs in zip([in_chans, *widths], widths, strict=False):
        layers = _normed(inputs, outputs, bias=True)
        for _ in range(each - 1):
            layers += _normed(outputs, outputs, bias=True)
        pooled = 0 < len(groups) < len(widths) - 1
        groups.append(nn.Sequential(*[nn.MaxPool2d(2)] * pooled, *layers))
    model = Cifar([*groups, nn.Identity()], widths, [1, 2, 4, 8, 8], num_classes)
    nn.init.normal_(model.fc.weight, std=0.01)
    nn.init.zeros_(model.fc.bias)
    return model


def _residual(block: Callable[..., nn.Module], layers: int, widths: Sequence[int]) -> list:
    """Return three stages of blocks of two layers; the second and third halve the maps."""
    each, stages = _whole(layers, 6), []
    for inputs, outputs, stride in zip(widths, widths[1:], (1, 2, 2), strict=False):
        rest = [block(outputs, outputs, 1) for _ in range(each - 1)]
        stages.append(nn.Sequential(block(inputs, outputs, stride), *rest))
    return stages


def _whole(layers: int, groups: int) -> int:
    if layers < groups or layers % groups:
        raise KdpruneError(f"architectures: depth: {layers} layers are no multiple of {groups}")
    return layers // groups


def _normed(inputs: int, outputs: int, *, bias: bool) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


NARROW, TWICE, FOURFOLD = [16, 16, 32, 64], [16, 32, 64, 128], [32, 64, 128, 256]
VGG = [64, 128, 256, 512, 512]
NETWORKS: Mapping[str, tuple[Callable[..., Cifar], int, list[int]]] = {
    "cifar_resnet20": (resnet, 20, NARROW),
    "cifar_resnet32": (resnet, 32, NARROW),
    "cifar_resnet56": (resnet, 56, NARROW),
    "cifar_resnet110": (resnet, 110, NARROW),
    "cifar_resnet8x4": (resnet, 8, FOURFOLD),
    "cifar_resnet32x4": (resnet, 32, FOURFOLD),
    "cifar_wrn_16_2": (wide_resnet, 16, TWICE),
    "cifar_wrn_40_1": (wide_resnet, 40, NARROW),
    "cifar_wrn_40_2": (wide_resnet, 40, TWICE),
    "cifar_vgg8": (vgg, 8, VGG),
    "cifar_vgg13": (vgg, 13, VGG),
}
default_cfgs = generate_default_cfgs(
    {
        f"{name}.untrained": {
            "input_size": (3, 32, 32),
            "first_conv": "stem" if make is wide_resnet else "stem.0",
            "classifier": "fc",
        }
        for name, (make, _, _) in NETWORKS.items()
    }
)


def _register(name: str) -> None:
    make, depth, widths = NETWORKS[name]

    def entry(pretrained: bool = False, **kwargs: Any) -> nn.Module:
        if pretrained:
            raise KdpruneError(f"model.pretrained: {name} has no ImageNet weights; say false")
        arguments: dict[str, Any] = {"num_classes": 10, "depth": depth, "widths": widths, **kwargs}
        return build_model_with_cfg(make, name, pretrained, **arguments)

    entry.__name__ = name
    register_model(entry)


for _name in NETWORKS:
    _register(_name)

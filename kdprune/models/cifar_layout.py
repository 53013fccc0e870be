"""What the networks of `models.cifar` are made of: blocks, and the frame that has timm's API."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3x3 convolutions, each with batch norm, beside a shortcut; ReLU behind their sum."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3(inputs, outputs, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv3(outputs, outputs), nn.BatchNorm2d(outputs)
        self.act1, self.act2 = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            layer = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(layer, nn.BatchNorm2d(outputs))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        inner = self.act1(self.bn1(self.conv1(maps)))
        return self.act2(self.bn2(self.conv2(inner)) + self.shortcut(maps))


class PreBlock(nn.Module):
    """Batch norm and ReLU before each of two 3x3 convolutions.

    A shortcut that changes shapes begins behind the first ReLU; any other is the input itself.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv3(inputs, outputs, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv3(outputs, outputs)
        self.act1, self.act2 = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
        self.shortcut: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        active = self.act1(self.bn1(maps))
        inner = self.conv2(self.act2(self.bn2(self.conv1(active))))
        return inner + (maps if self.shortcut is None else self.shortcut(active))


class Cifar(nn.Module):
    """Stem, stages, what follows them, pooling, and one linear layer; offers timm's API."""

    def __init__(
        self,
        parts: Sequence[nn.Module],
        widths: Sequence[int],
        reductions: Sequence[int],
        num_classes: int,
    ) -> None:
        """`parts`: stem, stages and end; `widths`, `reductions`: of the stem's and stages' maps."""
        super().__init__()
        self.stem, *stages, self.end = parts
        self.stages = [f"stage{number}" for number in range(1, len(stages) + 1)]
        for name, stage in zip(self.stages, stages, strict=True):
            self.add_module(name, stage)
        self.num_classes, self.num_features = num_classes, widths[-1]
        self.feature_info = [
            {"num_chs": width, "reduction": reduction, "module": module}
            for width, reduction, module in zip(
                widths, reductions, ["stem", *self.stages], strict=True
            )
        ]
        self.fc: nn.Module = nn.Identity()
        self.reset_classifier(num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward_intermediates(
        self, images: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """[B, 3, H, W] -> what the classifier pools, and the maps of stem and stages."""
        maps = self.stem(images)
        seen = [maps]
        for name in self.stages:
            maps = self.get_submodule(name)(maps)
            seen.append(maps)
        return self.end(maps), seen

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> maps [B, C, h, w], which the classifier pools."""
        return self.forward_intermediates(images)[0]

    def forward_head(self, maps: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Pool the maps to [B, C]; go on to the logits [B, classes] unless `pre_logits`."""
        pooled = functional.adaptive_avg_pool2d(maps, 1).flatten(1)
        return pooled if pre_logits else self.fc(pooled)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> logits [B, classes]."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Module:
        """Return the linear layer, or an identity where the network has none."""
        return self.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Begin a new classifier; none for 0 classes."""
        self.num_classes = num_classes
        self.fc = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution without a bias."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)

"""A training step and a prediction in kdprune's memory layout, against PyTorch's usual one.

python benchmarks/layout.py [NETWORK …]
"""

import sys

import networks
import torch
from pairing import compare
from torch.nn import functional

from kdprune.device import arrange

NAMES = ("resnet10_24", "densenet21_16", "resnet18", "mobilenetv1", "efficientnet_b0")
TRAINED, PREDICTED, STEPS = 64, 256, 4


def steps(model: torch.nn.Module, optimiser: torch.optim.Optimizer, images: torch.Tensor) -> None:
    """Train on a batch that lies ready."""
    labels = torch.arange(len(images), device=images.device) % 10
    model.train()
    for _ in range(STEPS):
        optimiser.zero_grad(set_to_none=True)
        functional.cross_entropy(model(images), labels).backward()
        optimiser.step()


@torch.inference_mode()
def predictions(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return the logits."""
    return model.eval()(images)


def main(names: list[str]) -> None:
    """Print both ratios per network."""
    for name in names:
        ours, usual = arrange(networks.network(name)), networks.network(name)
        usual.to(memory_format=torch.contiguous_format)
        place = next(ours.parameters()).device
        images = torch.randn(PREDICTED, 3, 32, 32, device=place)
        last = images.contiguous(memory_format=torch.channels_last)
        settings = {"lr": 0.01, "fused": True, **networks.RECIPE}
        fits = [torch.optim.SGD(model.parameters(), **settings) for model in (ours, usual)]
        compare(
            f"{name}: a training step in the usual layout, time to ours",
            lambda m=ours, o=fits[0], i=last[:TRAINED]: steps(m, o, i),
            lambda m=usual, o=fits[1], i=images[:TRAINED]: steps(m, o, i),
        )
        compare(
            f"{name}: a prediction in the usual layout, time to ours",
            lambda m=ours, i=last: predictions(m, i),
            lambda m=usual, i=images: predictions(m, i),
        )


if __name__ == "__main__":
    main(sys.argv[1:] or list(NAMES))

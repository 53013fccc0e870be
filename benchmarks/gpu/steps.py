"""images/s of `fit` with captured steps, against its eager steps and against the bare step.

python benchmarks/gpu/steps.py [NETWORK …]
"""

import sys
from pathlib import Path

import torch

# the benchmarks beside, and this tree: where a card is lent, kdprune may not be installed
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import networks
from pairing import compare
from training import BATCH, bare, epoch

from kdprune import device
from kdprune.data.augment import normalise
from kdprune.distillation.none import Supervised

SHOWN = ("resnet10_24", "densenet35_12", "efficientnet_slim_b1", "resnet18")
IMAGES = 12_800 if torch.cuda.is_available() else 256  # an epoch


def main(names: list[str]) -> None:
    """Print both ratios per network."""
    data = networks.images(IMAGES)
    steps = IMAGES // BATCH
    for name in names:
        captured, eager = (Supervised(networks.network(name)) for _ in range(2))
        eager.capturable = False
        model = device.arrange(networks.network(name))
        optimiser = torch.optim.SGD(model.parameters(), fused=True, lr=0.01, **networks.RECIPE)
        batch = normalise(data["train_images"][:BATCH], data["mean"], data["std"])
        batch = batch, data["train_labels"][:BATCH]
        compare(
            f"{name}: images/s of fit, captured to eager",
            lambda task=captured: epoch(task, data),
            lambda task=eager: epoch(task, data),
            rounds=3,
            goal="> 1 on a GPU",
        )
        compare(
            f"{name}: images/s of fit, captured to the bare eager step's",
            lambda task=captured: epoch(task, data),
            lambda m=model, o=optimiser, b=batch: bare(m, o, b, steps),
            rounds=3,
            goal=">= 0.95",
        )


if __name__ == "__main__":
    main(sys.argv[1:] or list(SHOWN))

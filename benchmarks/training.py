"""images/s of an epoch of `fit`, against the bare step, and against the loop one would write.

python benchmarks/training.py [NETWORK …]
"""

import sys

import networks
import torch
from pairing import compare
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from kdprune.data.augment import normalise
from kdprune.device import arrange
from kdprune.distillation.none import Supervised
from kdprune.training.loop import fit
from kdprune.training.recipe import Recipe

BATCH = 64
EPOCHS = {"resnet10_24": 1920, "resnet18": 384, "mobilenetv1": 512}  # images of an epoch


class Pictures(Dataset):
    """Images as torchvision's data sets give them: a PIL image and a label, transformed."""

    def __init__(self, data: dict[str, torch.Tensor]) -> None:
        self.images = data["train_images"].cpu().permute(0, 2, 3, 1).numpy()
        self.labels = data["train_labels"].tolist()
        self.transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(data["mean"].tolist(), data["std"].tolist()),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def epoch(task: Supervised, data: dict[str, torch.Tensor]) -> None:
    """Train an epoch with `fit`: views, order and transfers are part of it."""
    fit(
        task,
        Recipe(epochs=1, batch_size=BATCH, lr=0.01, **networks.RECIPE),
        images=data["train_images"],
        labels=data["train_labels"],
        val_images=data["test_images"][:1],
        val_labels=data["test_labels"][:1],
        mean=data["mean"],
        std=data["std"],
    )


def bare(
    model: torch.nn.Module, optimiser: torch.optim.Optimizer, batch: tuple, steps: int
) -> None:
    """Forward, backward and step on one batch that lies ready, in the same memory layout."""
    model.train()
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        functional.cross_entropy(model(batch[0]), batch[1]).backward()
        optimiser.step()
    if batch[0].is_cuda:
        torch.cuda.synchronize()


def usual(model: torch.nn.Module, optimiser: torch.optim.Optimizer, loader: DataLoader) -> None:
    """The loop of the tutorials."""
    model.train()
    place, total = next(model.parameters()).device, 0.0
    for images, labels in loader:
        optimiser.zero_grad()
        loss = functional.cross_entropy(model(images.to(place)), labels.to(place))
        loss.backward()
        optimiser.step()
        total += loss.item()


def main(names: list[str]) -> None:
    """Print both ratios per network."""
    for name in names:
        data = networks.images(EPOCHS.get(name, 512))
        task, model, other = (networks.network(name) for _ in range(3))
        task, model = Supervised(task), arrange(model)
        settings = {"lr": 0.01, **networks.RECIPE}
        optimiser = torch.optim.SGD(model.parameters(), fused=True, **settings)
        batch = normalise(data["train_images"][:BATCH], data["mean"], data["std"])
        batch = batch, data["train_labels"][:BATCH]
        steps = len(data["train_labels"]) // BATCH
        compare(
            f"{name}: images/s of fit, to the bare step's",
            lambda task=task, data=data: epoch(task, data),
            lambda m=model, o=optimiser, b=batch, s=steps: bare(m, o, b, s),
            goal=">= 0.95",
        )
        other.to(memory_format=torch.contiguous_format)
        loader = DataLoader(Pictures(data), BATCH, shuffle=True, num_workers=2, drop_last=True)
        optimiser = torch.optim.SGD(other.parameters(), **settings)
        compare(
            f"{name}: images/s of fit, to the usual loop's (DataLoader, two workers)",
            lambda task=task, data=data: epoch(task, data),
            lambda m=other, o=optimiser, d=loader: usual(m, o, d),
            rounds=3,
            goal=">= 1.2 for the slim network",
        )


if __name__ == "__main__":
    main(sys.argv[1:] or list(EPOCHS))

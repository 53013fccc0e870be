"""Tiny networks of the families that the study uses, and images to feed them."""

from pathlib import Path

import numpy as np
import torch

from kdprune import models
from kdprune.data.mapped import opened
from kdprune.data.stored import Stored
from kdprune.pruning import application
from kdprune.pruning.trained import Idle

TINY = {
    "basic": ("resnet18", {"layers": [1, 1, 1, 1], "channels": [8, 8, 16, 16]}),
    "bottleneck": ("resnet50", {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}),
    "dense": ("densenet121", {"growth_rate": 4, "block_config": [2, 2, 2, 2]}),
    "separable": ("mobilenetv1_100", {}),
    "squeeze": ("efficientnet_b0", {}),
}


def tiny(family: str = "basic", *, classes: int = 10, seed: int = 0, stem: str = "imagenet"):
    """A network of the family whose batch norm has seen data, in evaluation mode."""
    name, kwargs = TINY[family]
    model = models.build(name, classes=classes, kwargs=kwargs, stem=stem, seed=seed)
    with torch.no_grad():
        model.train()(images(32, seed=seed))
    return model.eval()


def pruned_by(method: str, model: torch.nn.Module, levels: list[float], **how):
    """What a pruning method yields, with images for the methods that look at some.

    One that trains on its way takes a training for done.
    """
    if application.trains(method):
        told = levels, how, lambda: dataset(classes=2), Idle()
        return application.sparsify(method, model, *told)
    return application.prune(method, model, levels, how, lambda: dataset(classes=2))


def images(count: int = 8, *, seed: int = 0, size: int = 32) -> torch.Tensor:
    """Floats [count, 3, size, size]."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def dataset(count: int = 64, classes: int = 10, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random bytes with labels that follow from them, split into train, val and test."""
    generator = torch.Generator().manual_seed(seed)
    data = {"mean": torch.full((3,), 0.5), "std": torch.full((3,), 0.25)}
    for split, size in (("train", count), ("val", 20), ("test", 30)):
        labels = torch.randint(classes, (size,), generator=generator)
        noise = torch.randint(0, 100, (size, 3, 32, 32), generator=generator)
        data[f"{split}_images"] = (noise + 15 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
        data[f"{split}_labels"] = labels
    return data


def in_files(data: dict, folder: Path) -> dict:
    """The same data, their images in files, of which every second row is none of theirs."""
    kept = dict(data)
    for name in (name for name in data if name.endswith("_images")):
        images = data[name].cpu()
        np.save(folder / f"{name}.npy", torch.stack([images, 255 - images], 1).flatten(0, 1))
        array, rows = opened(folder / f"{name}.npy"), np.arange(0, 2 * len(images), 2)
        kept[name] = Stored(array, rows, size=images.shape[-1], device=data[name].device)
    return kept

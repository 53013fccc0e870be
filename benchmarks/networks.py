"""Networks and images for the benchmarks: the embedded CIFAR-10, repeated to what is asked for."""

import logging
import os
import tempfile
from pathlib import Path

import torch
import yaml
from torch import nn

from kdprune import device, models
from kdprune.data.canonical import load
from kdprune.models import counts
from kdprune.sources import prepare

ROOT = Path(__file__).parents[1]
RECIPE = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}


def images(count: int) -> dict[str, torch.Tensor]:
    """Return train_ and test_ images uint8 [N, 3, 32, 32] and labels [N], mean and std [3]."""
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(ROOT)
        prepare("cifar10", "embedded", Path(folder) / "data", path=None, cache=Path(folder))
        found = load(Path(folder) / "data")
    order = torch.randperm(len(found.train_labels), generator=torch.Generator().manual_seed(0))
    order = order.repeat(-(-count // len(order)))[:count]
    place = device.choose()
    return {
        "train_images": torch.tensor(found.train_images)[order].to(place),
        "train_labels": torch.from_numpy(found.train_labels)[order].to(place),
        "test_images": torch.tensor(found.test_images).to(place),
        "test_labels": torch.from_numpy(found.test_labels).to(place),
        "mean": torch.tensor(found.mean, device=place),
        "std": torch.tensor(found.std, device=place),
    }


def network(name: str, *, stem: str = "imagenet", seed: int = 0) -> nn.Module:
    """Build a network of conf/architectures.yaml for ten classes, on the device."""
    described = yaml.safe_load((ROOT / "conf/architectures.yaml").read_text())["architectures"]
    model = models.build(
        described[name]["timm"],
        classes=10,
        stem=stem,
        kwargs=described[name].get("kwargs"),
        seed=seed,
    )
    device.limit_threads(counts.macs(model))
    return model.to(device.choose())

"""A study in miniature, as the command line finds it: parameters, a network, images and results."""

import json
from pathlib import Path

import numpy as np
import yaml
from networks import TINY, tiny
from torch import nn

from kdprune import models
from kdprune.data.tensors import load_tensors
from kdprune.records import write_csv
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.sweep import sweep

KEY = "cifar10-resnet10_24"
WHO = {"dataset": "cifar10", "role": "teacher", "teacher": "resnet10_24"}
WHO |= {"student": "", "distill": ""}
FINETUNE = {"scope": "head", "views": 2, "epochs": 2, "batch_size": 16, "lr": 0.01}


def study(folder: Path, values: dict, *, scope: str = "head", family: str = "basic") -> Path:
    """Write a study with one tiny network, whose sweeps have not run yet."""
    prune = values["prune"]
    prune["finetune"] |= {**FINETUNE, "scope": scope}
    prune |= {"levels": [0.0, 0.5], "seeds": 3}
    prune["batchnorm"]["images"] = 64
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    data(folder / "data" / "cifar10")
    name, kwargs = TINY[family]
    described = {"timm_name": name, "classes": 10, "stem": "imagenet", "kwargs": kwargs}
    save(folder / "models" / "teachers" / f"{KEY}.safetensors", tiny(family), described)
    return folder


def save(path: Path, model: nn.Module, described: dict, **more: object) -> None:
    models.save(path, model, {"network": described, "seed": 1, **WHO, **more})


def data(folder: Path, classes: int = 10, count: int = 100) -> None:
    """Noise around a grey level per class, in canonical form."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        labels = np.arange(count, dtype=np.int64) % classes
        noise = generator.integers(0, 100, (count, 3, 32, 32))
        pixels = (noise + 15 * labels[:, None, None, None]).astype(np.uint8)
        np.save(folder / f"{split}_images.npy", pixels)
        np.save(folder / f"{split}_labels.npy", labels)
    manifest = {"images": {"train": count, "test": count}, "side": 32, "size": 32, "crop": 1.0}
    manifest["views"] = "auto"
    manifest["classes"] = [f"class{label}" for label in range(classes)]
    manifest |= {"mean": [0.45, 0.46, 0.47], "std": [0.25, 0.26, 0.27]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def run_sweep(folder: Path, values: dict, method: str) -> None:
    """Run a sweep of the network as the stage does, and write its table and a breakpoint."""
    tensors = load_tensors(
        folder / "data" / "cifar10",
        validation=values["data"]["validation"],
        validation_seed=values["data"]["validation_seed"],
    )
    model, _ = models.load(folder / "models" / "teachers" / f"{KEY}.safetensors")
    prune = values["prune"]
    apart = ("from", "schedule", "epochs_of")
    tuning = {k: v for k, v in prune["finetune"].items() if k not in apart}
    rows, _ = sweep(
        model,
        tensors,
        method=method,
        levels=prune["levels"],
        seeds=prune["seeds"],
        re_estimate_images=prune["batchnorm"]["images"],
        finetune=FineTune(**tuning),
        hyperparameters=prune[method],
    )
    rows = rows.assign(**WHO, method=method)
    write_csv(folder / "metrics" / "sweeps" / f"{KEY}-{method}.csv", rows)
    write_csv(folder / "metrics" / "breakpoints.csv", rows[rows.level == 0.5].head(1))

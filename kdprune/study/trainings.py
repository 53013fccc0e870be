"""What teachers and students share: the network, the fit, the files that come of it."""

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import torch
from torch import nn

from kdprune import device, models
from kdprune.config.params import Params
from kdprune.config.replicates import training
from kdprune.distillation.task import Task
from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.models.building import SIZE
from kdprune.models.own_weights import adopt, goes_on
from kdprune.records import IDENTITY, read_json, write_csv, write_json
from kdprune.study import paths, unfinished
from kdprune.study.images import augmentation
from kdprune.training.loop import Diverged, evaluate, fit
from kdprune.training.recipe import Recipe
from kdprune.training.remedies import remedies


def network(
    params: Params, name: str, images: Mapping[str, torch.Tensor], seed: int
) -> tuple[nn.Module, dict[str, Any]]:
    """Build the network `name` of the parameters for the images, on the device.

    Returns it, and what rebuilds it.
    """
    architecture = params.architectures[name]
    classes = int(images["train_labels"].max()) + 1
    built: dict[str, Any] = {"timm_name": architecture.timm, "classes": classes}
    built |= {"stem": params.model.stem, "kwargs": architecture.kwargs or {}}
    if (side := images["val_images"].shape[-1]) != SIZE:
        built["size"] = side
    model = models.build(**built, pretrained=params.model.pretrained, seed=seed)
    counts.macs(model)  # refuses a network that does not take such images, before any work
    return model.to(device.choose()), built


def adopted(params: Params, name: str, model: nn.Module, dataset: str) -> dict[str, Any]:
    """Give a teacher the weights of its own file, where the parameters name one.

    Returns what its checkpoint's metadata say of that: "weights", and "normalised", where the
    network is for images of another mean and std than the data set's.
    """
    given = params.architectures[name].weights
    if given is None:
        return {}
    last: dict[str, Any] = {"head": given.head, "outputs": given.classes}
    if given.classes is not None:
        last["classes"] = read_json(paths.manifest(dataset))["classes"]
    where = f"architectures.{name}.weights"
    adopt(model, given.path, sha256=given.sha256, where=where, **last)
    told: dict[str, Any] = {"weights": {"sha256": given.sha256, "train": goes_on(given.train)}}
    stated: dict[str, Any] = {"mean": given.mean, "std": given.std}
    if given.config == "timm":
        stated = {part: (model.pretrained_cfg or {}).get(part) for part in stated}
    if None not in stated.values():
        told["normalised"] = {part: [float(x) for x in value] for part, value in stated.items()}
    return told


def recipe_of(params: Params, item: Mapping[str, str]) -> Recipe:
    """Return the recipe by which a teacher or a student of the grid learns, with its own seed.

    One with weights of its own may have a rate of its own for all but its last layer.
    """
    given = params.architectures[item.get("student") or item["teacher"]].weights
    recipe = Recipe(**training(params, item))
    return recipe if given is None or given.rate is None else replace(recipe, body=given.rate)


def train(
    task: Task,
    images: Mapping[str, torch.Tensor],
    *,
    stage: str,
    key: str,
    recipe: Recipe,
    depends: Any,
    inputs: list,
    identity: Mapping[str, str],
    metadata: Mapping[str, Any],
    encoder_params: int,
) -> None:
    """Fit `task`, and write its network, its result and its learning curve.

    A recipe of no epochs takes the network as it is: its curve is one row, of epoch 0.
    """
    identity = {**identity, **{part: "" for part in IDENTITY if part not in identity}}
    role = identity["role"]
    method = identity["distill"] or "none"
    checkpoint = unfinished.path(stage, key, method, inputs=inputs, parameters=depends)
    task.to(images["train_images"].device)
    device.limit_threads(counts.macs(task.network))
    stats = images["mean"], images["std"]
    try:
        rows = fit(
            task,
            recipe,
            images=images["train_images"],
            labels=images["train_labels"],
            val_images=images["val_images"],
            val_labels=images["val_labels"],
            mean=stats[0],
            std=stats[1],
            augment=augmentation(identity["dataset"]),
            checkpoint=checkpoint,
            title=key,
        )
    except Diverged as error:
        where = "teach" if stage == "teach" else "distill.training"
        hints = remedies(where, recipe, getattr(task, "weights", None), f"distill.{method}")
        raise KdpruneError(f"{error}; {', or '.join(hints)}") from None
    val, test = (  # in float32, as the sweeps have it, whatever the precision of the training
        evaluate(task.network, images[f"{part}_images"], images[f"{part}_labels"], *stats)
        for part in ("val", "test")
    )
    if not rows:
        if guesses(val, images["val_labels"]):
            raise KdpruneError(f"{key}: {_GUESSES.format(val, len(images['val_labels']))}")
        rows = [{"epoch": 0, "step": 0, "lr": 0.0, "train_loss": math.nan, "val_accuracy": val}]
    described = metadata["network"]
    result = {
        **identity,
        "params": counts.parameters(task.network),
        "encoder_params": encoder_params,
        "training_only_params": counts.parameters(task) - counts.parameters(task.network),
        "paper_params": counts.parameters(_on_meta(described | {"classes": 1000})),
        "macs": counts.macs(task.network),
        "dead_share": counts.dead_share(task.network),
        "val_accuracy": val,
        "test_accuracy": test,
    }
    models.save(paths.checkpoint(role, key), task.network, {**metadata, **identity})
    write_csv(paths.fitted(role, key) / "learning.csv", pd.DataFrame(rows))
    write_json(paths.fitted(role, key) / "training.json", result)
    checkpoint.unlink(missing_ok=True)
    print(f"{key}: test {test:.2f} %, {result['params']:,} parameters", file=sys.stderr)


_GUESSES = (
    "takes weights as they are (train: false), and with {:.1f} % of {} validation images it does "
    "no better than guessing; its students would learn that. State the order of its outputs "
    "(weights.classes), and its mean and std; or write train: true"
)


def guesses(accuracy: float, labels: torch.Tensor) -> bool:
    """Whether so many percent of `labels` [N] are no more than who always names one class gets.

    That is the share of the largest class, and two standard errors of it for what chance adds.
    """
    share = float(labels.bincount().max()) / len(labels)
    return accuracy / 100 <= share + 2 * math.sqrt(share * (1 - share) / len(labels))


def _on_meta(described: Mapping[str, Any]) -> nn.Module:
    with torch.device("meta"):
        return models.build(**{**described, "stem": "imagenet"})

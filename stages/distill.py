"""Distill one student from its teacher."""

import torch

from kdprune import models
from kdprune.config.params import load
from kdprune.distillation import METHODS
from kdprune.models import counts
from kdprune.study import paths
from kdprune.study.images import tensors
from kdprune.study.trainings import network, train
from kdprune.training.recipe import Recipe


def main(key: str) -> None:
    """Distill the student that the grid names `key`."""
    item = (params := load()).grid["students"][key]
    images = tensors(item["dataset"], params)
    teacher_file = paths.checkpoint("teacher", f"{item['dataset']}-{item['teacher']}")
    teacher, _ = models.load(teacher_file, images["train_images"].device)
    recipe = Recipe(**params.distill.training.model_dump())
    seed = recipe.seed
    student, described = network(params, item["student"], images, seed)
    arguments = params.distill.hyperparameters[item["distill"]]
    size = counts.parameters(student)
    torch.manual_seed(seed)  # for what the method draws, such as its projector
    task = METHODS[item["distill"]](student, teacher, labels=images["train_labels"], **arguments)
    metadata = {"network": described, "seed": seed}
    train(
        task,
        images,
        stage="distill",
        key=key,
        recipe=recipe,
        depends=(recipe, described, arguments, params.model, params.data),
        inputs=[paths.data(item["dataset"]) / "manifest.json", teacher_file],
        identity={"role": "student", **item},
        metadata=metadata | ({"projector": task.projector} if task.projector else {}),
        encoder_params=size,
    )

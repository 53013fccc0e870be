"""Distill one student from its teacher."""

import torch

from kdprune import device, models
from kdprune.config.params import load
from kdprune.distillation import METHODS
from kdprune.models import counts
from kdprune.study import paths
from kdprune.study.images import seen, tensors
from kdprune.study.trainings import adopted, network, recipe_of, train


def main(key: str) -> None:
    """Distill the student that the grid names `key`."""
    item = (params := load()).grid["students"][key]
    teacher, known = models.load(teacher_file := paths.tutor(item), device.choose())
    images = tensors(item["dataset"], params, known)
    seed = (recipe := recipe_of(params, item)).seed
    student, described = network(params, item["student"], images, seed)
    adopted(params, item["student"], student, item["dataset"])  # a start, where it has one
    arguments, size = params.distill.hyperparameters[item["distill"]], counts.parameters(student)
    torch.manual_seed(seed)  # for what the method draws, such as its projector
    task = METHODS[item["distill"]](student, teacher, labels=images["train_labels"], **arguments)
    metadata = {"network": described, "seed": seed, **seen(known)}
    train(
        task,
        images,
        stage="distill",
        key=key,
        recipe=recipe,
        depends=(recipe, metadata, params.architectures[item["student"]], arguments, params.data),
        inputs=[paths.data(item["dataset"]) / "manifest.json", teacher_file],
        identity={"role": "student", **item},
        metadata=metadata | ({"projector": task.projector} if task.projector else {}),
        encoder_params=size,
    )

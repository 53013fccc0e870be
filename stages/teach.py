"""Train one teacher on labels."""

from dataclasses import replace

from kdprune.config.params import load
from kdprune.distillation.none import Supervised
from kdprune.models import counts
from kdprune.models.own_weights import adopt, goes_on
from kdprune.study import paths
from kdprune.study.images import tensors
from kdprune.study.trainings import network, train
from kdprune.training.recipe import Recipe


def main(key: str) -> None:
    """Train the teacher that the grid names `key`, or take it as its weights' file has it."""
    params = load()
    item = params.grid["teachers"][key]
    name, recipe = item["teacher"], Recipe(**params.teach.model_dump())
    images = tensors(item["dataset"], params)
    model, described = network(params, name, images, params.teach.seed)
    metadata = {"network": described, "seed": params.teach.seed}
    if given := params.architectures[name].weights:
        adopt(model, given.path, sha256=given.sha256, where=f"architectures.{name}.weights")
        trained = goes_on(given.train)
        recipe = recipe if trained else replace(recipe, epochs=0)
        metadata["weights"] = {"sha256": given.sha256, "train": trained}
    train(
        Supervised(model),
        images,
        stage="teach",
        key=key,
        recipe=recipe,
        depends=(recipe, metadata, params.model, params.data),
        inputs=[paths.data(item["dataset"]) / "manifest.json"],
        identity={"dataset": item["dataset"], "role": "teacher", "teacher": name},
        metadata=metadata,
        encoder_params=counts.parameters(model),
    )

"""Train one teacher on labels."""

from dataclasses import replace

from kdprune.config.params import load
from kdprune.distillation.none import Supervised
from kdprune.models import counts
from kdprune.study import paths
from kdprune.study.images import as_told, tensors
from kdprune.study.trainings import adopted, network, recipe_of, train


def main(key: str) -> None:
    """Train the teacher that the grid names `key`, or take it as its weights' file has it."""
    params = load()
    item = params.grid["teachers"][key]
    name, recipe = item["teacher"], recipe_of(params, item)
    images = tensors(item["dataset"], params)
    model, described = network(params, name, images, recipe.seed)
    told = adopted(params, name, model, item["dataset"])
    metadata = {"network": described, "seed": recipe.seed, **told}
    if told and not told["weights"]["train"]:
        recipe = replace(recipe, epochs=0)
    train(
        Supervised(model),
        as_told(images, told),
        stage="teach",
        key=key,
        recipe=recipe,
        depends=(recipe, metadata, params.architectures[name], params.model, params.data),
        inputs=[paths.data(item["dataset"]) / "manifest.json"],
        identity={"dataset": item["dataset"], "role": "teacher", **item},
        metadata=metadata,
        encoder_params=counts.parameters(model),
    )

"""Train one teacher on labels."""

from kdprune import counts
from kdprune.distillation.none import Supervised
from kdprune.params import load
from stages import paths
from stages.training import network, tensors, train


def main(key: str) -> None:
    """Train the teacher that the grid names `key`."""
    params = load()
    item = params.grid["teachers"][key]
    images = tensors(item["dataset"], params)
    classes = int(images["train_labels"].max()) + 1
    model, described = network(params, item["teacher"], classes, params.teach.seed)
    recipe = params.teach.model_dump()
    identity = {"dataset": item["dataset"], "role": "teacher", "teacher": item["teacher"]}
    train(
        Supervised(model),
        images,
        stage="teach",
        key=key,
        recipe=recipe,
        depends=(recipe, described, params.model, params.data),
        inputs=[paths.data(item["dataset"]) / "manifest.json"],
        identity=identity | {"student": "", "distill": ""},
        metadata={"network": described, "seed": params.teach.seed},
        encoder_params=counts.parameters(model),
    )

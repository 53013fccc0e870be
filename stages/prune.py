"""Sweep one network by one pruning method over all levels and seeds."""

from pathlib import Path

from kdprune import device, models
from kdprune.config.params import load
from kdprune.models import counts
from kdprune.records import write_csv
from kdprune.study import paths, unfinished
from kdprune.study.images import tensors
from kdprune.sweeps.sweep import sweep


def main(key: str) -> None:
    """Run the sweep that the grid names `key`."""
    params = load()
    item = dict(params.grid["sweeps"][key])
    checkpoint = Path(item.pop("checkpoint"))
    images = tensors(item["dataset"], params)
    model, _ = models.load(checkpoint, images["train_images"].device)
    device.limit_threads(counts.macs(model))
    hyperparameters = params.prune.hyperparameters[item["method"]]
    settings = params.prune.model_dump(include={"levels", "seeds", "finetune", "batchnorm"})
    read = [paths.data(item["dataset"]) / "manifest.json", checkpoint]
    depends = settings, hyperparameters, params.data
    kept = unfinished.path("prune", key, item["method"], inputs=read, parameters=depends)
    batchnorm = settings.pop("batchnorm")
    rows, layers = sweep(
        model,
        images,
        method=item["method"],
        re_estimate_images=batchnorm["images"] if batchnorm["re_estimate"] else 0,
        hyperparameters=hyperparameters,
        checkpoint=kept,
        title=key,
        **settings,
    )
    write_csv(paths.swept(key) / "layers.csv", layers.assign(**item)[[*item, *layers]])
    write_csv(paths.swept(key) / "sweep.csv", rows.assign(**item)[[*item, *rows]])
    kept.unlink(missing_ok=True)

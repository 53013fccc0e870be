"""Sweep one network by one pruning method over all levels and seeds."""

from pathlib import Path

from kdprune import device, models
from kdprune.config.params import load
from kdprune.models import counts
from kdprune.records import write_csv
from kdprune.study import paths, unfinished
from kdprune.study.images import tensors
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.sweep import sweep


def main(key: str) -> None:
    """Run the sweep that the grid names `key`."""
    params = load()
    prune, item = params.prune, dict(params.grid["sweeps"][key])
    checkpoint = Path(item.pop("checkpoint"))
    images = tensors(item["dataset"], params)
    model, _ = models.load(checkpoint, images["train_images"].device)
    device.limit_threads(counts.macs(model))
    hyperparameters = prune.hyperparameters[item["method"]]
    finetune = FineTune(**prune.finetune.model_dump())
    read = [paths.data(item["dataset"]) / "manifest.json", checkpoint]
    depends = prune.levels, prune.seeds, prune.batchnorm, finetune, hyperparameters, params.data
    kept = unfinished.path("prune", key, item["method"], inputs=read, parameters=depends)
    rows, layers = sweep(
        model,
        images,
        method=item["method"],
        levels=prune.levels,
        seeds=prune.seeds,
        re_estimate_images=prune.batchnorm.used,
        finetune=finetune,
        hyperparameters=hyperparameters,
        checkpoint=kept,
        title=key,
    )
    write_csv(paths.layers(key), layers.assign(**item)[[*item, *layers]])
    write_csv(paths.sweep(key), rows.assign(**item)[[*item, *rows]])
    kept.unlink(missing_ok=True)

"""Sweep one network by one pruning method over all levels and seeds."""

from pathlib import Path

from kdprune import device, models
from kdprune.config.params import load
from kdprune.models import counts
from kdprune.records import write_csv
from kdprune.study import images, paths, unfinished
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.sweep import sweep


def main(key: str) -> None:
    """Run the sweep that the grid names `key`."""
    params = load()
    prune, item = params.prune, dict(params.grid["sweeps"][key])
    checkpoint = Path(item.pop("checkpoint"))
    data, augment = images.tensors(item["dataset"], params), images.augmentation(item["dataset"])
    model, _ = models.load(checkpoint, data["train_images"].device)
    device.limit_threads(counts.macs(model))
    method, hyperparameters = item["method"], prune.hyperparameters[item["method"]]
    read = [paths.data(item["dataset"]) / "manifest.json", checkpoint]
    depends = prune.levels, prune.seeds, prune.batchnorm, prune.finetune, hyperparameters
    kept = unfinished.path("prune", key, method, inputs=read, parameters=(depends, params.data))
    rows, layers = sweep(
        model,
        data,
        method=method,
        levels=prune.levels,
        seeds=prune.seeds,
        re_estimate_images=prune.batchnorm.used,
        finetune=FineTune(**prune.finetune.model_dump(), augment=augment),
        hyperparameters=hyperparameters,
        checkpoint=kept,
        title=key,
    )
    for name, table in (("layers", layers), ("sweep", rows)):
        write_csv(paths.swept(key) / f"{name}.csv", table.assign(**item)[[*item, *table]])
    kept.unlink(missing_ok=True)

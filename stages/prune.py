"""Sweep one network by one pruning method over all levels and seeds."""

from pathlib import Path

from kdprune import counts, device, models
from kdprune.files import write_csv
from kdprune.params import load
from kdprune.pruning.sweep import sweep
from stages import paths, resume
from stages.images import tensors


def main(key: str) -> None:
    """Run the sweep that the grid names `key`."""
    params = load()
    item = dict(params.grid["sweeps"][key])
    checkpoint = Path(item.pop("checkpoint"))
    images = tensors(item["dataset"], params)
    model, _ = models.load(checkpoint, images["train_images"].device)
    device.limit_threads(counts.macs(model))
    hyperparameters = params.prune.__pydantic_extra__[item["method"]]
    settings = params.prune.model_dump(include={"levels", "seeds", "finetune", "batchnorm"})
    manifest = paths.data(item["dataset"]) / "manifest.json"
    depends = (settings, hyperparameters, params.data)
    unfinished = resume.unfinished("prune", key, inputs=[manifest, checkpoint], parameters=depends)
    batchnorm = settings.pop("batchnorm")
    rows, layers = sweep(
        model,
        images,
        method=item["method"],
        re_estimate_images=batchnorm["images"] if batchnorm["re_estimate"] else 0,
        hyperparameters=hyperparameters,
        checkpoint=unfinished,
        title=key,
        **settings,
    )
    write_csv(paths.layers(key), layers.assign(**item)[[*item, *layers]])
    write_csv(paths.sweep(key), rows.assign(**item)[[*item, *rows]])
    unfinished.unlink(missing_ok=True)

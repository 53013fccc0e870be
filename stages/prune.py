"""Sweep one network by one pruning method over all levels and seeds."""

from kdprune import device, models
from kdprune.config.params import load
from kdprune.models import counts
from kdprune.pruning import trajectories
from kdprune.records import identity, write_csv
from kdprune.study import images, networks, paths, tuning, unfinished
from kdprune.sweeps.sweep import FineTune, sweep


def main(key: str) -> None:
    """Run the sweep that the grid names `key`."""
    prune, item = (params := load()).prune, params.grid["sweeps"][key]
    who = {name: item[name] for name in (*identity(item), "method")}
    files, run = networks.inputs(item), (item["pruning"], item["tuning"])
    (model, known), (tutor, _) = (models.load(file, device.choose()) for file in files[:2])
    data = images.tensors(item["dataset"], params, known)
    device.limit_threads(counts.macs(model))
    told = tuning.told(params, item, item["method"])
    files, given = [paths.manifest(item["dataset"]), *files], prune.hyperparameters[run[0]]
    levels = trajectories.levels_of(trajectory := networks.trajectory(item), prune.levels)
    depends = levels, prune.seeds, prune.batchnorm, told, given, params.data
    kept = unfinished.path("prune", key, *run, inputs=files, parameters=depends)
    rows, layers = sweep(
        model,
        data,
        method=run[0],
        levels=levels,
        seeds=prune.seeds,
        re_estimate_images=prune.batchnorm.used,
        finetune=FineTune(**told, augment=images.augmentation(item["dataset"])),
        hyperparameters=given,
        checkpoint=kept,
        **{"title": key, "tutor": tutor, "trajectory": trajectory},
    )
    for name, table in (("layers", layers), ("sweep", rows)):
        write_csv(paths.swept(key) / f"{name}.csv", table.assign(**who)[[*who, *table]])
    kept.unlink(missing_ok=True)

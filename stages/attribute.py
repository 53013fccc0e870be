"""Take apart what one network lost at the breakpoint of one pruning, step by step."""

from kdprune import device, models
from kdprune.analysis.breakpoints import breakpoints
from kdprune.config.params import load
from kdprune.models import counts
from kdprune.records import IDENTITY, write_csv
from kdprune.study import attributions, images, networks, paths, tables, tuning
from kdprune.sweeps.attribution import SELF, attribute
from kdprune.sweeps.point import FineTune
from kdprune.training.recipe import Recipe


def main(key: str) -> None:
    """Measure the steps of the sweep that the grid names `key`."""
    prune, item = (params := load()).prune, params.grid["attributions"][key]
    identity = {name: item[name] for name in (*IDENTITY, "method")}
    curve = tables.read(paths.swept(key) / "sweep.csv", f"prune@{key}")
    broken = breakpoints(curve, **params.breakpoints.model_dump()).level[0]
    level = float(broken or min(filter(None, curve.level), default=0.0))  # where it broke at once
    model, known = models.load(networks.dense(item), device.choose())
    data = images.tensors(item["dataset"], params, known)
    device.limit_threads(counts.macs(model))
    told = tuning.told(params, item["role"], item["method"])
    trained = params.teach if item["role"] == "teacher" else params.distill.training
    rows = attribute(
        model,
        data,
        method=item["pruning"],
        level=level,
        hyperparameters=prune.hyperparameters[item["pruning"]],
        re_estimate_images=prune.batchnorm.images,
        finetune=FineTune(**told, augment=images.augmentation(item["dataset"])),
        taught=params.distill.hyperparameters[SELF],
        original=Recipe(**trained.model_dump()),
        trajectory=networks.trajectory(item),
        title=key,
    )
    table = rows.assign(**identity, level=level)[attributions.COLUMNS]
    write_csv(paths.attributed(key) / "attribution.csv", table)

"""Take apart what one network lost at the breakpoint of one pruning, step by step."""

from kdprune import device, models
from kdprune.analysis.breakpoints import breakpoints
from kdprune.config.params import load
from kdprune.config.replicates import training
from kdprune.models import counts
from kdprune.records import identity, write_csv
from kdprune.study import attributions, checked, images, networks, paths, tuning
from kdprune.sweeps.attribution import SELF, attribute
from kdprune.sweeps.point import FineTune
from kdprune.training.recipe import Recipe


def main(key: str) -> None:
    """Measure the steps of the sweep that the grid names `key`."""
    prune, item = (params := load()).prune, params.grid["attributions"][key]
    who = {name: item[name] for name in (*identity(item), "method")}
    curve = checked.read(paths.swept(key) / "sweep.csv", made_by=f"prune@{key}")
    broken = breakpoints(curve, **params.breakpoints.model_dump()).level[0]
    level = float(broken or min(filter(None, curve.level), default=0.0))  # where it broke at once
    model, known = models.load(networks.dense(item), device.choose())
    data = images.tensors(item["dataset"], params, known)
    device.limit_threads(counts.macs(model))
    told = tuning.told(params, item, item["method"])
    rows = attribute(
        model,
        data,
        method=item["pruning"],
        level=level,
        hyperparameters=prune.hyperparameters[item["pruning"]],
        re_estimate_images=prune.batchnorm.images,
        finetune=FineTune(**told, augment=images.augmentation(item["dataset"])),
        taught=params.distill.hyperparameters[SELF],
        original=Recipe(**training(params, item)),
        trajectory=networks.trajectory(item),
        title=key,
    )
    table = attributions.table(rows.assign(**who, level=level))
    write_csv(paths.attributed(key) / "attribution.csv", table)

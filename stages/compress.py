"""Code one network by every coding, unpruned and at the breakpoint of one pruning method."""

from kdprune import device, models
from kdprune.analysis.breakpoints import breakpoints
from kdprune.config import coding
from kdprune.config.params import load
from kdprune.deployment import coded
from kdprune.models import counts
from kdprune.records import identity, write_csv
from kdprune.study import checked, codings, images, networks, paths, tuning
from kdprune.sweeps.point import FineTune, prune_and_tune


def main(key: str) -> None:
    """Write and read the files of the sweep that the grid names `key`; keep what they cost."""
    prune, item = (params := load()).prune, params.grid["compressions"][key]
    who = {name: item[name] for name in (*identity(item), "method")}
    curve = checked.read(paths.swept(key) / "sweep.csv", made_by=f"prune@{key}")
    broken = breakpoints(curve, **params.breakpoints.model_dump())
    files, trajectory = networks.inputs(item)[:2], networks.trajectory(item)
    (model, described), (tutor, _) = (models.load(file, device.choose()) for file in files)
    data = images.tensors(item["dataset"], params, described)
    device.limit_threads(counts.macs(model))
    views = images.augmentation(item["dataset"])
    told = tuning.told(params, item, item["method"])
    how = {"method": item["pruning"], "seed": 0, "seeds": prune.seeds, "tutor": tutor}
    how |= {"trajectory": trajectory}
    how |= {"re_estimate_images": prune.batchnorm.used, "finetune": FineTune(**told, augment=views)}
    rows = []
    for level in sorted({0.0, float(broken.level[0])}):
        given = prune.hyperparameters[item["pruning"]]
        pruned = prune_and_tune(model, data, level=level, hyperparameters=given, **how)
        size = {"params": pruned.params, "nonzero_params": pruned.nonzero_params}
        size["macs"] = counts.macs(pruned.model)
        again = coding.bits(params), prune.batchnorm.used, views
        made = coded.measured(pruned.model, data, described, *again)
        rows += [{**who, "level": level, **size, **row} for row in made]
    write_csv(paths.coded(key) / "codings.csv", codings.table(rows))

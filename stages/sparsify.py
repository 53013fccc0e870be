"""Train one network through all levels, for a pruning method that trains on its way."""

from pathlib import Path

from kdprune import device, models
from kdprune.config.params import load
from kdprune.models import counts
from kdprune.records import identity, write_csv
from kdprune.sparsification.rounds import Rounds
from kdprune.sparsification.trajectory import sparsify
from kdprune.study import images, paths, unfinished
from kdprune.training.recipe import Recipe


def main(key: str) -> None:
    """Train the trajectory that the grid names `key`."""
    prune, item = (params := load()).prune, params.grid["trajectories"][key]
    model, known = models.load(file := Path(item["checkpoint"]), device.choose())
    data = images.tensors(item["dataset"], params, known)
    device.limit_threads(counts.macs(model))
    names = {"batch_size", "lr", "momentum", "nesterov", "weight_decay"}
    recipe = Recipe(epochs=1, **prune.finetune.model_dump(include=names))
    given, pruning = prune.hyperparameters[item["pruning"]], item["pruning"]
    depends, inputs = (prune.levels, recipe, given, params.data), [file]
    inputs.append(paths.manifest(item["dataset"]))

    def kept(number: int) -> Path:
        told = (*depends, number)
        return unfinished.path("sparsify", key, pruning, inputs=inputs, parameters=told)

    augment = images.augmentation(item["dataset"])
    rounds = Rounds(data, recipe, method=pruning, augment=augment, kept=kept, title=key)
    levels, curve = sparsify(model, data, prune.levels, given, rounds, folder=paths.SPARSE / key)
    who = {name: item[name] for name in identity(item)} | {"method": pruning}
    for name, table in (("levels", levels), ("learning", curve)):
        named = table.assign(**who)[[*who, *table]]
        write_csv(paths.sparsified(key) / f"{name}.csv", named)
    for number in range(rounds.count):
        kept(number).unlink(missing_ok=True)

"""Brings a checkpoint to a pruning level, with the study's own parameters, ready to be written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune.config.schema import Params
from kdprune.data.augment import Augment
from kdprune.data.tensors import augmentation_of, load_tensors
from kdprune.deployment.inputs import preprocessing
from kdprune.deployment.twin import masked_twin
from kdprune.device import arrange, limit_threads
from kdprune.errors import KdpruneError, nearest
from kdprune.methods import parts
from kdprune.models import checkpoints, counts
from kdprune.pruning import METHODS
from kdprune.pruning.pruned import Pruned
from kdprune.study import networks, paths, rows, tuning
from kdprune.study.images import as_told
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.point import prune_and_tune

INPUT = {"colour": "RGB", "values": "(byte / 255 - mean) / std"}


@dataclass(frozen=True)
class Prepared:
    """A network before and after pruning, on the CPU, and what describes both.

    `twin`: where channels were removed, a network of the dense shapes with zeros in their place.
    `source`: the checkpoint as the certificate names it. `sweep`: the study's own row of this level
    and seed, if there is one. `augment`: the views that batch norm is estimated on.
    """

    key: str
    checkpoint: Path
    source: str
    metadata: dict[str, Any]
    dense: nn.Module
    pruned: Pruned
    twin: nn.Module | None
    data: dict[str, torch.Tensor]
    sweep: dict[str, Any] | None
    augment: Augment


def prepare(
    checkpoint: Path,
    *,
    folder: Path,
    data: Path | None,
    method: str,
    level: float | None,
    seed: int,
    settings: Params,
) -> Prepared:
    """Prune and tune `checkpoint` as the sweep of the study in `folder` does.

    `level` None stands for the breakpoint. Raises KdpruneError for whatever the user can mend.
    """
    pruning, learned_by = parts(method)
    own = settings.prune.finetune.objectives
    if pruning not in settings.prune.hyperparameters or learned_by not in ("", *own):
        raise KdpruneError(f"--method {method}: is unknown; {nearest(method, METHODS)}")
    before, who = _before(checkpoint)
    at_breakpoint = level is None
    if level is None:
        level = rows.breakpoint_level(folder, who, method)
    place = data or folder / "data" / who["dataset"]
    inputs, tensors = _images(place, before, settings)
    how = settings.prune.model_dump(include={"finetune", "batchnorm"}, exclude_none=True)
    how["finetune"]["epochs"] = settings.prune.finetune.epochs_for(method)
    del how["finetune"]["epochs_of"]
    how["finetune"]["objective"] = settings.prune.finetune.objective_of(method)
    how |= {"method": pruning, "hyperparameters": dict(settings.prune.hyperparameters[pruning])}
    how |= {"level": level, "at_breakpoint": at_breakpoint, "seed": seed}
    dense, _ = checkpoints.load(checkpoint)
    tutor = dense
    if tuning.by_teacher(settings, who["role"], method):
        tutor, _ = checkpoints.load(folder / paths.tutor(who))
    told = tuning.told(settings, who, method)
    finetune = FineTune(**told, augment=augmentation_of(place))
    left = folder / paths.sparse(networks.key(who), pruning)
    pruned = _pruned(dense, tutor, tensors, how, finetune, settings.prune.seeds, left)
    total = counts.parameters(dense)
    how |= {"removed": pruned.params < total, "ratio": pruned.ratio, "sparsity": pruned.sparsity}
    how |= {"dense_params": total, "nonzero_params": pruned.nonzero_params}
    return Prepared(
        key=networks.key(who),
        checkpoint=checkpoint,
        source=_within(checkpoint, folder),
        metadata={**before, "pruned": how, "input": inputs},
        dense=dense,
        pruned=pruned,
        twin=masked_twin(dense, pruned) if how["removed"] and pruned.kept else None,
        data={name: value.cpu() for name, value in tensors.items()},
        sweep=rows.swept(folder, who, method, level=level, seed=seed),
        augment=finetune.augment,
    )


def as_trained(checkpoint: Path, *, folder: Path, data: Path | None, settings: Params) -> Prepared:
    """Take `checkpoint` as it is: neither pruned nor tuned. Raises KdpruneError as `prepare`."""
    before, who = _before(checkpoint)
    place = data or folder / "data" / who["dataset"]
    inputs, tensors = _images(place, before, settings)
    dense, _ = checkpoints.load(checkpoint)
    return Prepared(
        key=networks.key(who),
        checkpoint=checkpoint,
        source=_within(checkpoint, folder),
        metadata={**before, "input": inputs},
        dense=dense,
        pruned=Pruned(0.0, 0.0, 0.0, dense),
        twin=None,
        data={name: value.cpu() for name, value in tensors.items()},
        sweep=rows.trained(folder, who),
        augment=augmentation_of(place),
    )


def _before(checkpoint: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a checkpoint's metadata and who it is. Raises KdpruneError for one that is pruned."""
    before, _ = checkpoints.header(checkpoint)
    if "pruned" in before:
        raise KdpruneError(f"{checkpoint}: is pruned already; name the checkpoint it came from")
    return before, networks.identity(before, checkpoint)


def _images(
    place: Path, before: Mapping[str, Any], settings: Params
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return how a network's images are prepared, and the images, as the study split them."""
    given = preprocessing(place, before)
    split = settings.data.model_dump(include={"validation", "validation_seed"})
    return {**INPUT, **given}, as_told(load_tensors(place, **split), before)


def _pruned(
    dense: nn.Module,
    tutor: nn.Module,
    tensors: Mapping[str, torch.Tensor],
    how: Mapping[str, Any],
    finetune: FineTune,
    seeds: int,
    trajectory: Path,
) -> Pruned:
    """Prune and tune on the images' device; bring both networks to the CPU."""
    batchnorm = how["batchnorm"]
    limit_threads(counts.macs(dense))  # as the sweep did: threads change rounding
    pruned = prune_and_tune(
        arrange(dense.to(tensors["train_images"].device)),
        tensors,
        method=how["method"],
        level=how["level"],
        seed=how["seed"],
        seeds=seeds,
        re_estimate_images=batchnorm["images"] if batchnorm["re_estimate"] else 0,
        finetune=finetune,
        hyperparameters=how["hyperparameters"],
        tutor=tutor.to(tensors["train_images"].device),
        trajectory=trajectory,
    )
    pruned.model.cpu()
    pruned.masks = {name: mask.cpu() for name, mask in pruned.masks.items()}
    dense.cpu()
    return pruned


def _within(path: Path, folder: Path) -> str:
    """Name a file relative to the project; one from elsewhere by its name, without its folders."""
    path, folder = path.resolve(), folder.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name

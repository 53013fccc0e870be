"""Every network and method of a grid, once, on random numbers: faults that hours would show.

First all networks without memory (torch's meta device), where a misspelt name costs nothing; then
each student for one step of training, and each deployed network cut to the highest level and run.
Random weights stand for trained ones: only structure is looked at. Of data sets with as many
images, the one with the most classes stands for all.
"""

import copy
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune import models
from kdprune.config.params import Params
from kdprune.data.canonical import DATASETS
from kdprune.errors import KdpruneError, out_of_memory
from kdprune.methods import parts
from kdprune.models import counts
from kdprune.models.building import side_of
from kdprune.planning import calibration
from kdprune.planning.cost import Images
from kdprune.planning.images import sizes
from kdprune.planning.subjects import subject
from kdprune.pruning import BY_SHAPES, application
from kdprune.pruning.trained import Idle

UNKNOWN = Images(1000, 100, 100), 10  # a data set of one's own that is yet to be read
STEP = 2  # images of a step, where a method has no say: batch norm of 1x1 maps needs several


def run(params: Params, project: Path) -> None:
    """Try all that the grid of `params` trains and prunes; `project` holds the data.

    Raises KdpruneError for the first fault, with its instance. Leaves torch's generator as it was.
    """
    begun = time.monotonic()
    known = {name: _sizes(params, name, project) for name in params.datasets}
    with torch.random.fork_rng(devices=[]):
        for one in _networks(params, known):
            made = _described(params, *one)
            _tried(f"architectures.{one[0]}", made["timm_name"], lambda made=made: _look(made))
        deployed: dict[tuple[Any, ...], str] = {}
        teachers: dict[str, nn.Module] = {}  # each is built once for all of its students
        for key, item in _subjects(params, known).items():
            images, classes = known[item["dataset"]]
            _subject(params, key, item, images, classes, deployed, teachers)
    told = f"kdprune: all of the grid was tried once in {time.monotonic() - begun:.1f} s"
    print(told, file=sys.stderr)


def _sizes(params: Params, dataset: str, project: Path) -> tuple[Images, int]:
    if dataset in DATASETS or (project / "data" / dataset / "manifest.json").is_file():
        return sizes(params, dataset, project)
    return replace(UNKNOWN[0], side=params.data.size), UNKNOWN[1]


def _subjects(params: Params, known: Mapping[str, tuple[Images, int]]) -> dict[str, dict[str, str]]:
    """Return the instances that are tried, students by their teachers."""
    chosen: dict[Any, tuple[str, dict[str, str]]] = {}
    for key, item in {**params.grid["teachers"], **params.grid["students"]}.items():
        images, classes = known[item["dataset"]]
        same = subject(item), images.train, images.side
        if same not in chosen or classes > known[chosen[same][1]["dataset"]][1]:
            chosen[same] = key, item
    ordered = sorted(chosen.items(), key=lambda entry: (bool(entry[0][0][1]), entry[0][0][0]))
    return dict(instance for _, instance in ordered)


def _networks(
    params: Params, known: Mapping[str, tuple[Images, int]]
) -> list[tuple[str, int, int]]:
    """Return each network of the grid once for each size of images, with its most classes."""
    most: dict[tuple[str, int], int] = {}
    for item in [*params.grid["teachers"].values(), *params.grid["students"].values()]:
        images, classes = known[item["dataset"]]
        name = item.get("student", item["teacher"]), images.side
        most[name] = max(most.get(name, 0), classes)
    return [(name, classes, side) for (name, side), classes in most.items()]


def _described(params: Params, name: str, classes: int, side: int) -> dict[str, Any]:
    given = params.architectures[name]
    shared = {"classes": classes, "stem": params.model.stem, "size": side}
    return {"timm_name": given.timm, "kwargs": given.kwargs, **shared}


def _look(described: Mapping[str, Any]) -> None:
    """Build a network without memory, and count its operations on an image."""
    with torch.device("meta"):
        counts.macs(models.build(**described))


def _subject(
    params: Params,
    key: str,
    item: Mapping[str, str],
    images: Images,
    classes: int,
    deployed: dict[tuple[Any, ...], str],
    teachers: dict[str, nn.Module],
) -> None:
    """Train a network for a step, and prune it, unless it was; `teachers` keeps the last built."""
    teacher, student, method = subject(item)
    stage = "students" if student else "teachers"
    where = f"grid.{stage}.{key}"
    theirs = _described(params, teacher, classes, images.side)
    given = params.distill.hyperparameters.get(method, {})

    def built(**described: Any) -> nn.Module:
        if (name := f"{teacher} {classes} {images.side}") not in teachers:
            teachers.clear()
            teachers[name] = models.build(**described)
        return teachers[name]

    def trained() -> nn.Module:
        task, _ = calibration.task(
            _described(params, student, classes, images.side) if student else theirs,
            theirs if student else None,
            method=method,
            hyperparameters=given,
            images=images.train,
            build=built,
        )
        _step(task, params, method, images, classes)
        return task

    task = _tried(where, method or "training", trained)
    composite = key if hasattr(task, "spec") else ""  # of student and teacher, not of one network
    role = "student" if student else "teacher"
    swept = [one["method"] for one in params.grid["sweeps"].values() if one["role"] == role]
    for pruning in dict.fromkeys(parts(one)[0] for one in swept):
        name = f"{student or teacher}{composite}", classes, pruning
        if name not in deployed:
            deployed[name] = where
            cut = partial(_cut, task.network, pruning, params, classes)
            _tried(where, f"{pruning} pruning", cut)


def _step(task: nn.Module, params: Params, method: str, images: Images, classes: int) -> None:
    """Run a method forward and backward, on batches as large as it wants them."""
    whole = min(params.distill.training.batch_size, images.train)
    size = task.batch_size or min(STEP, whole)
    if task.batch_size and size != whole and images.train != UNKNOWN[0].train:
        raise KdpruneError(
            f"distill.{method}.batch_size = {size}: a batch holds {whole} images "
            f"(distill.training.batch_size); write {whole}"
        )
    indices = torch.arange(size) % images.train
    inputs = torch.randn(size, 3, *2 * [side_of(task.network)])
    task.train()(inputs, indices % classes, indices)["loss"].backward()
    task.zero_grad(set_to_none=True)
    task.eval()


def _cut(network: nn.Module, method: str, params: Params, classes: int) -> None:
    """Prune a network to the highest level (rounded: to all), on noise for images, and run it."""
    given = params.prune.hyperparameters[method]
    levels = application.within(method, network, params.prune.levels)[0]
    levels = levels[-1 if given.get("round_to", 1) == 1 else 0 :]
    if method in BY_SHAPES and given.get("criterion", "l1") == "l1":
        network = _without_values(network)
    noise = torch.randint(256, (STEP, 3, *2 * [side_of(network)]), dtype=torch.uint8)
    data = {"train_images": noise, "train_labels": torch.arange(STEP) % classes}
    data |= {"mean": torch.full((3,), 0.5), "std": torch.full((3,), 0.25)}
    idle = partial(application.sparsify, train=Idle())  # what it would train stays as it is
    cut = idle if application.trains(method) else application.prune
    for pruned in cut(method, network, levels, given, lambda: data):
        counts.macs(pruned.model)


def _without_values(network: nn.Module) -> nn.Module:
    """Return a copy on the meta device."""
    tensors = [*network.parameters(), *network.buffers()]
    held = (nn.Parameter if isinstance(one, nn.Parameter) else torch.detach for one in tensors)
    metas = (keep(one.detach().to("meta")) for keep, one in zip(held, tensors, strict=True))
    return copy.deepcopy(network, {id(one): meta for one, meta in zip(tensors, metas, strict=True)})


def _tried(where: str, what: str, work: Any) -> Any:
    """Do `work`; tell where it was, should it fail. Raises KdpruneError, MemoryError and kin."""
    try:
        return work()
    except KdpruneError as error:
        named = str(error)
        raise KdpruneError(named if where in named else f"{where}: {named}") from None
    except Exception as error:  # of many constructors, and of what traces networks
        if out_of_memory(error):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise KdpruneError(f"{where}: {what} does not work with it ({reason})") from None

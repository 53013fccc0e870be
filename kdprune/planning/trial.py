"""Every network and every method of a grid, once, on random numbers: faults that hours would show.

First all networks without memory (torch's meta device), where a misspelt name costs nothing; then
each student with its method for one step of training, and each deployed network cut to the highest
level and run. Only structure is looked at: random weights stand for trained ones.
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune import models
from kdprune.config.params import Params
from kdprune.data.canonical import DATASETS
from kdprune.errors import KdpruneError, out_of_memory
from kdprune.models import counts
from kdprune.planning import calibration, plan
from kdprune.planning.cost import Images
from kdprune.pruning import application

UNKNOWN = Images(1000, 100, 100), 10  # a data set of one's own that is yet to be read
STEP = 8  # images of a step, where a method has no say


def run(params: Params, project: Path) -> None:
    """Try all that the grid of `params` trains and prunes; `project` holds the data.

    Raises KdpruneError for the first fault, with the instance that has it. Leaves torch's generator
    as it was.
    """
    begun = time.monotonic()
    sizes = {name: _sizes(params, name, project) for name in params.datasets}
    with torch.random.fork_rng(devices=[]):
        for name, classes in _networks(params, sizes):
            described = _described(params, name, classes)
            _tried(f"architectures.{name}", described["timm_name"], lambda d=described: _look(d))
        deployed: dict[tuple[str, int], str] = {}
        for key, item in {**params.grid["teachers"], **params.grid["students"]}.items():
            images, classes = sizes[item["dataset"]]
            _subject(params, key, item, images, classes, deployed)
    took = time.monotonic() - begun
    print(f"kdprune: all of the grid was tried once in {took:.1f} s", file=sys.stderr)


def _sizes(params: Params, dataset: str, project: Path) -> tuple[Images, int]:
    if dataset in DATASETS or (project / "data" / dataset / "manifest.json").is_file():
        return plan.sizes(params, dataset, project)
    return UNKNOWN


def _networks(params: Params, sizes: Mapping[str, tuple[Images, int]]) -> list[tuple[str, int]]:
    """Return each network of the grid with each number of classes, once."""
    items = [*params.grid["teachers"].values(), *params.grid["students"].values()]
    named = [(item.get("student", item["teacher"]), sizes[item["dataset"]][1]) for item in items]
    return list(dict.fromkeys(named))


def _described(params: Params, name: str, classes: int) -> dict[str, Any]:
    given = params.architectures[name]
    shared = {"classes": classes, "stem": params.model.stem}
    return {"timm_name": given.timm, "kwargs": given.kwargs, **shared}


def _look(described: Mapping[str, Any]) -> None:
    """Build a network without memory, and count its operations on a 32x32 image."""
    with torch.device("meta"):
        counts.macs(models.build(**described))


def _subject(
    params: Params,
    key: str,
    item: Mapping[str, str],
    images: Images,
    classes: int,
    deployed: dict[tuple[str, int], str],
) -> None:
    """Train one teacher or student for a step, and prune what is deployed, unless it was."""
    teacher, student, method = plan.subject(item)
    if (f"{teacher}-{student}-{method}", classes) in deployed:
        return
    stage = "students" if student else "teachers"
    where = f"grid.{stage}.{key}"
    theirs = _described(params, teacher, classes)
    given = params.distill.hyperparameters.get(method, {})

    def trained() -> nn.Module:
        task, _ = calibration.task(
            _described(params, student, classes) if student else theirs,
            theirs if student else None,
            method=method,
            hyperparameters=given,
            images=images.train,
        )
        _step(task, params, method, images, classes)
        return task

    task = _tried(where, method or "training", trained)
    deployed[f"{teacher}-{student}-{method}", classes] = where
    composite = key if hasattr(task, "spec") else ""  # of student and teacher, not of one network
    name = (f"{student or teacher}{composite}", classes)
    role = "student" if student else "teacher"
    if role not in params.prune.roles or name in deployed:
        return
    deployed[name] = where
    for pruning in dict.fromkeys(one["method"] for one in params.grid["sweeps"].values()):
        _tried(
            where, f"{pruning} pruning", lambda p=pruning: _cut(task.network, p, params, classes)
        )


def _step(task: nn.Module, params: Params, method: str, images: Images, classes: int) -> None:
    """Run a method forward and backward, on batches as large as it wants them."""
    whole = min(params.distill.training.batch_size, images.train)
    size = task.batch_size or min(STEP, whole)
    if task.batch_size and size != whole and images is not UNKNOWN[0]:
        raise KdpruneError(
            f"distill.{method}.batch_size = {size}: a batch holds {whole} images "
            f"(distill.training.batch_size); write {whole}"
        )
    indices = torch.arange(size) % images.train
    inputs = torch.randn(size, 3, 32, 32)
    task.train()(inputs, indices % classes, indices)["loss"].backward()
    task.zero_grad(set_to_none=True)
    task.eval()


def _cut(network: nn.Module, method: str, params: Params, classes: int) -> None:
    """Prune a network to the highest level, on noise for images, and run it."""
    levels, given = params.prune.levels[-1:], params.prune.hyperparameters[method]
    noise = torch.randint(256, (STEP, 3, 32, 32), dtype=torch.uint8)
    data = {"train_images": noise, "train_labels": torch.arange(STEP) % classes}
    data |= {"mean": torch.full((3,), 0.5), "std": torch.full((3,), 0.25)}
    for pruned in application.prune(method, network, levels, given, lambda: data):
        counts.macs(pruned.model)


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

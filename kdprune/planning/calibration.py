"""Looks at a network before a study is run: its operations, and how fast it is on this device."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from kdprune import models
from kdprune.data.augment import normalise, random_crop_flip
from kdprune.device import arrange, at_once, limit_threads
from kdprune.distillation import METHODS
from kdprune.distillation.none import Supervised
from kdprune.distillation.task import Task
from kdprune.models import counts
from kdprune.models.building import side_of
from kdprune.planning.cost import Network
from kdprune.sweeps.heads import train_heads
from kdprune.training.loop import predict
from kdprune.training.recipe import Recipe
from kdprune.training.step import WARM_UP, training_step

PROBE = 4  # images: batch norm of 1x1 maps needs several
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def task(
    student: Mapping[str, Any],
    teacher: Mapping[str, Any] | None,
    *,
    method: str,
    hyperparameters: Mapping[str, Any],
    images: int,
    build: Callable[..., nn.Module] = models.build,
) -> tuple[Task, nn.Module | None]:
    """Build what a stage trains, with random weights, and the teacher of it.

    `student` and `teacher` hold the arguments of `kdprune.models.build`; `images` is the size of
    the training set, which some methods remember; `build` is who builds the teacher.
    """
    torch.manual_seed(0)
    network = models.build(**student, seed=0)
    if teacher is None:
        return Supervised(network), None
    teaching = build(**teacher, seed=1).eval().requires_grad_(False)
    labels = torch.arange(images) % student["classes"]
    return METHODS[method](network, teaching, labels=labels, **hyperparameters), teaching


def look(built: Task, teacher: nn.Module | None) -> Network:
    """Count the operations of one training step's image, and of a deployed one."""
    size, side = built.batch_size or PROBE, side_of(built.network)
    inputs, indices = torch.randn(size, 3, side, side), torch.arange(size)
    labels = indices % built.network.get_classifier().out_features
    with torch.no_grad(), _counted(teacher) as theirs, _counted(built) as ours:
        built.train()(inputs, labels, indices)
    network = built.network.eval()
    return Network(
        macs=counts.macs(network),
        training_macs=sum(ours) // size,
        teacher_macs=sum(theirs) // size,
        params=counts.parameters(network),
        bytes=sum(item.numel() * item.element_size() for item in network.state_dict().values()),
        head=network.get_classifier().weight.numel(),
    )


@contextmanager
def _counted(module: nn.Module | None) -> Iterator[list[int]]:
    """Collect the multiply-adds of all images that go through the layers of `module`."""
    counted: list[int] = []

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if isinstance(layer, nn.Linear):
            uses = output.numel() // layer.out_features
        elif isinstance(layer, nn.Conv2d):
            uses = output.numel() // layer.out_channels
        else:  # transposed: each input position uses every weight
            uses = inputs[0].numel() // layer.in_channels
        counted.append(uses * layer.weight.numel())

    layers = [item for item in (module.modules() if module else ()) if isinstance(item, LAYERS)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        yield counted
    finally:
        for hook in hooks:
            hook.remove()


def step_seconds(
    built: Task,
    *,
    batch_size: int,
    precision: str,
    device: torch.device,
    images: int,
    seconds: float,
) -> float:
    """Measure a training step of `built` for about `seconds`, as training.loop.fit does it."""
    trained = [item for item in arrange(built).train().parameters() if item.requires_grad]
    optimiser = torch.optim.SGD(trained, 1e-4, 0.9, nesterov=True, fused=True)
    step = training_step(built, optimiser, precision=precision, device=device)
    views = torch.Generator(device if device.type == "cuda" else "cpu").manual_seed(0)
    batch_size, side = min(batch_size, images), side_of(built.network)
    bytes_ = torch.randint(0, 256, (batch_size, 3, side, side), dtype=torch.uint8, device=device)
    classes = built.network.get_classifier().out_features
    indices = torch.arange(batch_size, device=device)
    stats = torch.full((3,), 0.5, device=device), torch.full((3,), 0.25, device=device)

    def once() -> None:
        inputs = normalise(random_crop_flip(bytes_, views), *stats)
        step(inputs, indices % classes, indices, 0.0)

    return _timed(once, seconds, device, warm_up=WARM_UP + 2 if device.type == "cuda" else 1)


def image_seconds(network: nn.Module, *, device: torch.device, seconds: float) -> float:
    """Measure one image's way forward, in batches as large as `seconds` allow."""
    stats = torch.full((3,), 0.5, device=device), torch.full((3,), 0.25, device=device)
    full = at_once(device)
    size = full if device.type == "cuda" else 16
    arrange(network)
    side = side_of(network)
    while True:
        bytes_ = torch.zeros(size, 3, side, side, dtype=torch.uint8, device=device)
        taken = _timed(partial(predict, network, bytes_, *stats), seconds / 4, device)
        if size >= full or taken > seconds / 4:
            return taken / size
        size = min(full, 4 * size)


def head_seconds(
    features: int,
    classes: int,
    *,
    seeds: int,
    batch_size: int,
    device: torch.device,
    seconds: float,
) -> float:
    """Measure a step of all seeds' classifiers on features [N, features]."""
    count = 16 * batch_size
    views = torch.randn(1, count, features, device=device)
    labels = torch.arange(count, device=device) % classes
    weight, bias = torch.zeros(classes, features, device=device), torch.zeros(classes).to(device)
    recipe = Recipe(
        epochs=1, batch_size=batch_size, lr=1e-3, momentum=0.9, nesterov=True, weight_decay=0.0
    )

    def epoch() -> None:
        train_heads(views, labels, weight, bias, recipe, seeds=range(seeds), mask=None)

    whole = _timed(epoch, seconds / 4, device)
    return whole / 16


@contextmanager
def threads_of(macs: int) -> Iterator[int]:
    """Use as many threads of the CPU as the stages do for a network of so many multiply-adds."""
    before = torch.get_num_threads()
    limit_threads(macs)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _timed(
    work: Callable[[], object], seconds: float, device: torch.device, *, warm_up: int = 1
) -> float:
    """Return the seconds of one call: of the last and longest of rounds of 1, 2, 4 … calls."""
    for _ in range(warm_up):
        work()
    calls, taken = 1, 0.0
    while True:
        _finish(device)
        start = time.perf_counter()
        for _ in range(calls):
            work()
        _finish(device)
        taken = time.perf_counter() - start
        if taken >= seconds / 2:
            return taken / calls
        calls *= 2


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()

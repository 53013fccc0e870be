"""Puts a plan together for `kdprune plan`: every instance's work, and each network's speed."""

import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from kdprune import device
from kdprune.config.params import Params
from kdprune.distillation.none import Supervised
from kdprune.distillation.task import Task
from kdprune.methods import parts
from kdprune.models.own_weights import goes_on
from kdprune.planning import calibration, cost, counted
from kdprune.planning.cost import Images, Network, Speed
from kdprune.planning.images import sizes
from kdprune.pruning import application

STAGES = ("teachers", "students", "trajectories", "sweeps")
Subject = tuple[str, str, str]  # teacher, student, distillation method; a teacher alone has ""


def plan(params: Params, project: Path, *, seconds: float | None) -> dict[str, Any]:
    """Return what every instance of the study takes.

    "rows" has one per instance: kind, key, work (planning.cost.Work), params, bytes and seconds;
    "images" the sizes of the data sets. `seconds` is how long each measurement runs; None leaves
    times out, and "device" is None then; "core" is the share of the measuring in which its
    threads, "threads" at most, had a core of the CPU. Raises KdpruneError for a data set of
    unknown size.
    """
    place = None if seconds is None else device.choose()
    known = {name: sizes(params, name, project) for name in params.datasets}
    grid = {stage: params.grid.get(stage, {}) for stage in STAGES}
    wanted = {
        (subject(item), known[item["dataset"]][1], known[item["dataset"]][0].side): item["dataset"]
        for stage in grid.values()
        for item in stage.values()
    }
    networks: dict[tuple[Subject, int, int], Network] = {}
    speeds: dict[tuple[Subject, int], Speed] = {}
    most, wall, computing = 1, 0.0, 0.0
    for number, (key, dataset) in enumerate(wanted.items(), 1):
        one, classes, side = key
        images = known[dataset][0]
        asked = counts_follow_from(params, one, classes, images)
        if place is None and (counts := counted.remembered(asked)):
            networks[key] = counts
            continue
        told = "-".join(part for part in one if part)
        print(f"{number} of {len(wanted)}: {told}, {classes} classes", file=sys.stderr)
        task, teacher = calibration.task(**asked, images=images.train)
        networks[key] = calibration.look(task, teacher)
        if place is not None and (one, side) not in speeds:
            for module in filter(None, (task, teacher)):
                module.to(place)
            since = time.perf_counter(), time.process_time()
            with calibration.threads_of(networks[key].macs) as threads:
                speeds[one, side] = _speed(params, one, task, images, place, seconds or 0.0)
            most = max(most, threads)
            wall += threads * (time.perf_counter() - since[0])
            computing += time.process_time() - since[1]
    rows = []
    for stage, items in grid.items():
        for name, item in items.items():
            images, classes = known[item["dataset"]]
            network, speed = (
                networks[subject(item), classes, images.side],
                speeds.get((subject(item), images.side)),
            )
            rows.append(_row(params, stage, name, item, network, images, speed))
    return {
        "profile": params.profile,
        "device": None if place is None else _described(place),
        "calibrate_seconds": seconds,
        "core": min(1.0, computing / wall) if wall and place == torch.device("cpu") else None,
        "threads": most,
        "images": {name: asdict(images) for name, (images, _) in known.items()},
        "rows": rows,
    }


def subject(item: Mapping[str, str]) -> Subject:
    """Return which network a grid's instance trains or prunes, whatever the data set."""
    return item["teacher"], item.get("student", ""), item.get("distill", "")


def counts_follow_from(
    params: Params, one: Subject, classes: int, images: Images
) -> dict[str, Any]:
    """Return what describes a network and its training to `calibration.task`, but for `images`."""
    teacher, student, method = one

    def described(name: str) -> dict[str, Any]:
        architecture = params.architectures[name]
        shared = {"classes": classes, "stem": params.model.stem, "size": images.side}
        return {"timm_name": architecture.timm, "kwargs": architecture.kwargs, **shared}

    return {
        "student": described(student or teacher),
        "teacher": described(teacher) if student else None,
        "method": method,
        "hyperparameters": params.distill.hyperparameters.get(method, {}),
    }


def recipe_of(params: Params, one: Subject) -> Any:
    """Return how it is trained: a student by its own recipe, also without distillation."""
    return params.distill.training if one[1] else params.teach


def _speed(
    params: Params, one: Subject, task: Task, images: Images, place: torch.device, seconds: float
) -> Speed:
    """Measure all that the stages do with a network."""
    tuning, network, recipe = params.prune.finetune, task.network, recipe_of(params, one)
    shared = {"device": place, "images": images.train, "seconds": seconds}
    step = calibration.step_seconds(
        task, batch_size=recipe.batch_size, precision=recipe.precision, **shared
    )
    image = calibration.image_seconds(network, device=place, seconds=seconds)
    tuning_step = head_step = 0.0
    if tuning.scope == "all":  # in full precision, as kdprune.sweeps.finetune has it
        whole = Supervised(network.requires_grad_(True))
        tuning_step = calibration.step_seconds(
            whole, batch_size=tuning.batch_size, precision="fp32", **shared
        )
    elif tuning.scope == "head":
        head = network.get_classifier()
        head_step = calibration.head_seconds(
            head.in_features,
            head.out_features,
            seeds=params.prune.seeds,
            batch_size=min(tuning.batch_size, images.train),
            device=place,
            seconds=seconds,
        )
    return Speed(step, image, tuning_step, head_step)


def _row(
    params: Params,
    stage: str,
    key: str,
    item: Mapping[str, str],
    network: Network,
    images: Images,
    speed: Speed | None,
) -> dict[str, Any]:
    tuning = params.prune.finetune
    if stage == "trajectories":
        kind, levels = f"sparsify {(method := item['pruning'])}", params.prune.levels
        epochs = application.spent(method, levels, params.prune.hyperparameters[method])
        work = cost.trajectory(network, images, epochs=epochs, batch_size=tuning.batch_size)
        made = network.params * len(levels), network.bytes * len(levels)  # a file per level
    elif stage == "sweeps":
        kind, made = f"prune {item['method']}", (0, 0)  # tables, no network
        work = _sweep(params, item["method"], network, images)
    else:
        student, recipe = stage == "students", recipe_of(params, subject(item))
        given = None if student else params.architectures[item["teacher"]].weights
        kind = "distill" if student else "teach"
        epochs = 0 if given and not goes_on(given.train) else recipe.epochs
        work = cost.training(network, images, epochs=epochs, batch_size=recipe.batch_size)
        made = network.params, network.bytes
    tuned = stage == "sweeps" or (stage == "trajectories" and tuning.scope == "all")
    taken = cost.seconds(work, speed, tuning=tuned) if speed else 0.0
    named = {"kind": kind, "key": key, "work": work}
    return named | {"params": made[0], "bytes": made[1], "seconds": taken}


def _sweep(params: Params, method: str, network: Network, images: Images) -> cost.Work:
    prune, tuning = params.prune, params.prune.finetune
    return cost.sweep(
        network,
        images,
        levels=prune.levels,
        removes=prune.hyperparameters[parts(method)[0]].get("mode") == "remove",
        seeds=prune.seeds,
        re_estimate=prune.batchnorm.images if prune.batchnorm.re_estimate else 0,
        scope=tuning.scope,
        epochs=tuning.epochs,
        batch_size=tuning.batch_size,
        views=tuning.views,
    )


def _described(place: torch.device) -> str:
    if place.type == "cuda":
        return f"{torch.cuda.get_device_name(place)} (cuda)"
    return f"{place.type} ({platform.machine()}, {os.cpu_count()} cores)"

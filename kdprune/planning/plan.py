"""Puts a plan together for `kdprune plan`: every instance's work, and each network's speed."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from kdprune import device
from kdprune.config.params import Params
from kdprune.errors import KdpruneError
from kdprune.methods import parts
from kdprune.models.own_weights import goes_on
from kdprune.planning import calibration, cost, counted
from kdprune.planning.cost import Images, Network, Speed
from kdprune.planning.images import sizes
from kdprune.planning.measuring import Key, Pace, pace
from kdprune.planning.subjects import counts_follow_from, recipe_of, subject, told
from kdprune.pruning import METHODS, application

STAGES = ("teachers", "students", "trajectories", "sweeps")


def plan(params: Params, project: Path, *, seconds: float | None) -> dict[str, Any]:
    """Return what every instance of the study takes.

    "rows" has one per instance: kind, key, work (planning.cost.Work), params, bytes and seconds;
    "images" the sizes of the data sets. `seconds` is how long each measurement runs; None leaves
    times out, and "device" is None then; "measured" of its "networks" were timed, the others follow
    from them; "core" is the share of the measuring in which its threads, "threads" at most, had a
    core of the CPU. Raises KdpruneError for a data set of unknown size.
    """
    known = {name: sizes(params, name, project) for name in params.datasets}
    grid = {stage: params.grid.get(stage, {}) for stage in STAGES}
    wanted = {
        (subject(item), known[item["dataset"]][1], known[item["dataset"]][0].side): item["dataset"]
        for stage in grid.values()
        for item in stage.values()
    }
    seen = {key: known[name][0] for key, name in wanted.items()}
    networks = {key: _looked_at(params, key, images) for key, images in seen.items()}
    place, here = None, Pace()
    if seconds is not None:
        place = device.choose()
        here = pace(params, networks, seen, place, seconds)
    rows = []
    for stage, items in grid.items():
        for name, item in items.items():
            images, classes = known[item["dataset"]]
            network = networks[subject(item), classes, images.side]
            speed = here.speeds.get((subject(item), images.side))
            rows.append(_row(params, stage, name, item, network, images, speed))
    return {
        "profile": params.profile,
        "device": None if place is None else _described(place),
        "calibrate_seconds": seconds,
        "measured": here.measured,
        "networks": len(here.speeds),
        "core": here.core,
        "threads": here.threads,
        "images": {name: asdict(images) for name, (images, _) in known.items()},
        "rows": rows,
    }


def _looked_at(params: Params, key: Key, images: Images) -> Network:
    one, classes, _ = key
    asked = counts_follow_from(params, one, classes, images)
    if counts := counted.remembered(asked):
        return counts
    print(f"counting {told(one)}, {classes} classes", file=sys.stderr)
    return calibration.look(*calibration.task(**asked, images=images.train))


def _spent(method: str, levels: Sequence[float], hyperparameters: Mapping[str, Any]) -> float:
    """Return what `application.spent` does. Raises KdpruneError for a method that does not say."""
    if not hasattr(sys.modules[METHODS[method].__module__], "spent"):
        raise KdpruneError(
            f"kdprune/pruning/{method}.py: the method trains, and has no function spent; add "
            "spent(rises, hyperparameters), the epochs of plain training that it costs"
        )
    return application.spent(method, levels, hyperparameters)


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
        epochs = _spent(method, levels, params.prune.hyperparameters[method])
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
        epochs=tuning.epochs_for(method),
        batch_size=tuning.batch_size,
        views=tuning.views,
    )


def _described(place: torch.device) -> str:
    if place.type == "cuda":
        return f"{torch.cuda.get_device_name(place)} (cuda)"
    return f"{place.type} ({platform.machine()}, {os.cpu_count()} cores)"

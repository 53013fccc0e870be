"""Measures the networks of a study on this machine, or as many of them as there is time for."""

import sys
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import torch

from kdprune.config.params import Params
from kdprune.distillation.none import Supervised
from kdprune.distillation.task import Task
from kdprune.planning import calibration, speeds
from kdprune.planning.cost import Images, Network, Speed
from kdprune.planning.subjects import Subject, counts_follow_from, recipe_of, told

Key = tuple[Subject, int, int]  # with how many classes, and the images' side


@dataclass(frozen=True)
class Pace:
    """How fast a study's networks are here; of a plan without times, nothing."""

    speeds: Mapping[tuple[Subject, int], Speed] = field(default_factory=dict)  # by subject and side
    measured: int = 0  # of them; the others follow from these
    core: float | None = None  # share of the time in which its threads had a core of the CPU
    threads: int = 1


def pace(
    params: Params,
    networks: Mapping[Key, Network],
    images: Mapping[Key, Images],
    place: torch.device,
    seconds: float,
) -> Pace:
    """Return the pace of `networks` on `place`, `seconds` a measurement (planning.speeds).

    `images` has the data set that a network is trained on; their classes do not change the pace.
    """
    keys: dict[tuple[Subject, int], Key] = {}
    for key in networks:
        keys.setdefault((key[0], key[2]), key)
    loads: dict[tuple[Subject, int], speeds.Load] = {}
    families: dict[tuple[Subject, int], Hashable] = {}
    for who, key in keys.items():
        recipe, (teacher, student, _) = recipe_of(params, who[0]), who[0]
        loads[who] = speeds.load(networks[key], min(recipe.batch_size, images[key].train))
        families[who] = speeds.family(params.architectures[student or teacher].timm), who[1]
    most, wall, computing = 1, 0.0, 0.0

    def measure(who: tuple[Subject, int]) -> Speed:
        nonlocal most, wall, computing
        key = keys[who]
        print(f"measuring {told(who[0])}", file=sys.stderr)
        asked = counts_follow_from(params, who[0], key[1], images[key])
        built, teacher = calibration.task(**asked, images=images[key].train)
        for module in filter(None, (built, teacher)):
            module.to(place)
        since = time.perf_counter(), time.process_time()
        with calibration.threads_of(networks[key].macs) as threads:
            speed = _speed(params, who[0], built, images[key], place, seconds)
        most = max(most, threads)
        wall += threads * (time.perf_counter() - since[0])
        computing += time.process_time() - since[1]
        return speed

    known, measured = speeds.speeds(loads, families, measure, seconds=seconds)
    core = min(1.0, computing / wall) if wall and place.type == "cpu" else None
    return Pace(known, measured, core, most)


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

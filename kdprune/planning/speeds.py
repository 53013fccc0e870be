"""How fast the networks of a study are here: some are measured, the others follow from them.

A step of the paper's networks takes a CPU seconds, so to measure all takes minutes. Measured is the
cheapest of each family, and more while the calibration's time lasts; another network takes as long
as the nearest measured one of its family, times the ratio of their operations.
"""

import math
import re
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import TypeVar

from kdprune.planning.cost import Network, Speed

ROUNDS = 10  # of a measurement's seconds, in which more networks than one a family are measured
VARIANTS = ("cifar", "slim", "legacy", "test", "tf", "wide")  # first words that name no kind
Who = TypeVar("Who", bound=Hashable)


@dataclass(frozen=True)
class Load:
    """What a network's times are in proportion to, within its family; positive numbers."""

    step: float
    image: float
    tuning: float
    head: float


def load(network: Network, batch_size: int) -> Load:
    """Return the load of a network that trains on batches of `batch_size` images."""
    step = batch_size * (3.0 * network.training_macs + network.teacher_macs)  # backward: twice
    return Load(step, network.macs, network.macs, network.head)


def family(timm_name: str) -> str:
    """Return the kind of network: resnet for resnet18 and cifar_resnet20, efficientnet for b0, b1 …

    Layers that are alike take alike times for an operation; those of other kinds do not.
    """
    kind = re.match(rf"(?:(?:{'|'.join(VARIANTS)})_)*([a-z]*)", timm_name.lower())
    return kind.group(1) if kind else ""


def speeds(
    loads: Mapping[Who, Load],
    families: Mapping[Who, Hashable],
    measure: Callable[[Who], Speed],
    *,
    seconds: float,
) -> tuple[dict[Who, Speed], int]:
    """Return every network's speed, and how many of them `measure` was asked for.

    `seconds` is what a measurement takes: of some, one network needs two or three.
    """
    begun, measured, took = time.perf_counter(), dict[Who, Speed](), dict[Who, float]()
    first = set(_cheapest(loads, families))
    for who in _order(loads, families):
        since = time.perf_counter()
        if who not in first:
            near = _nearest(who, measured, loads, families)
            likely = took[near] * max(1.0, loads[who].step / loads[near].step)
            if since - begun + likely > ROUNDS * seconds:
                continue
        measured[who] = measure(who)
        took[who] = time.perf_counter() - since
    known = {}
    for who in loads:
        near = who if who in measured else _nearest(who, measured, loads, families)
        known[who] = _scaled(measured[near], loads[who], loads[near])
    return known, len(measured)


def _cheapest(loads: Mapping[Who, Load], families: Mapping[Who, Hashable]) -> Iterator[Who]:
    for kind in dict.fromkeys(families.values()):
        yield min((who for who in loads if families[who] == kind), key=lambda who: loads[who].step)


def _order(loads: Mapping[Who, Load], families: Mapping[Who, Hashable]) -> list[Who]:
    """Return who is measured first: the cheapest of each family, then from the cheapest on."""
    rest = sorted(loads, key=lambda who: loads[who].step)
    return list(dict.fromkeys([*_cheapest(loads, families), *rest]))


def _nearest(
    who: Who,
    measured: Mapping[Who, Speed],
    loads: Mapping[Who, Load],
    families: Mapping[Who, Hashable],
) -> Who:
    """Return the measured network of the family whose step is most alike."""
    alike = (one for one in measured if families[one] == families[who])
    return min(alike, key=lambda one: abs(math.log(loads[one].step / loads[who].step)))


def _scaled(speed: Speed, load: Load, measured: Load) -> Speed:
    ratios = (one / other for one, other in zip(astuple(load), astuple(measured), strict=True))
    return Speed(*(taken * ratio for taken, ratio in zip(astuple(speed), ratios, strict=True)))

"""Which network a file of weights is of: by the names and shapes of its tensors."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch

from kdprune.errors import KdpruneError
from kdprune.models import beside, checkpoints, heads
from kdprune.models.building import build
from kdprune.models.own_weights import COUNTER, differences, read, unwrapped
from kdprune.models.torchvision_names import renamed

ENDS = re.compile(r"[-.]")  # behind a network's name in a file's
FIRST = 2  # differences by which another first layer may show
OURS = ".safetensors"


@dataclass(frozen=True)
class Recognised:
    """A network as `build` takes it, how many outputs its file has, and what else that says."""

    timm_name: str
    outputs: int
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    stem: str = "imagenet"
    normalised: Mapping[str, Any] | None = None
    size: int | None = None
    classes: tuple[str, ...] | None = None


def recognise(
    path: Path, known: Mapping[str, tuple[str, Mapping[str, Any]]], *, name: str | None, where: str
) -> Recognised:
    """Return which network the file at `path` is of.

    A checkpoint of kdprune says so itself. Else the candidates are tried: `name`, where that is
    given, else the network that timm's config.json beside it names (`models.beside`), the one that
    the file's own name begins with, then those that are `known`, {name: (timm's name, kwargs)}.
    What config.json says holds where the file is of its network. Raises KdpruneError, beginning
    with `where`, for a file that cannot be read or fits none of them.
    """
    if path.suffix == OURS and (own := _own(path)):
        return own
    state, said = read(path, where), beside.told(path)
    for timm_name, kwargs in _candidates(path, known, name, said):
        if stem := _stem(state, timm_name, kwargs):
            outputs, _ = _compared(state, timm_name, kwargs, stem)
            if said is None or said.timm_name != timm_name:
                return Recognised(timm_name, outputs, kwargs, stem)
            names = said.classes if len(said.classes or ()) == outputs else None
            return Recognised(timm_name, outputs, kwargs, stem, said.normalised, said.size, names)
    if name is not None:
        raise KdpruneError(f"{where}: {path} holds another network's weights than {name}'s")
    raise KdpruneError(
        f"{where}: {path} is of no network that is known here; say which by --architecture, a name "
        "of timm's"
    )


def _own(path: Path) -> Recognised | None:
    """Return what a checkpoint of kdprune says of itself, None for another file."""
    try:
        described, _ = checkpoints.header(path)
    except KdpruneError:
        return None
    if "pruned" in described:
        raise KdpruneError(f"{path}: is pruned already; name the network that it came from")
    if "projector" in described:
        raise KdpruneError(f"{path}: is a student of SimKD, which borrows its teacher's last layer")
    network, given = described["network"], described.get("input") or {}
    return Recognised(
        network["timm_name"],
        network["classes"],
        network.get("kwargs", {}),
        network.get("stem", "imagenet"),
        described.get("normalised")
        or {part: given[part] for part in given.keys() & {"mean", "std"}},
        network.get("size", 32),
        tuple(given["classes"]) if given else None,
    )


def _candidates(
    path: Path,
    known: Mapping[str, tuple[str, Mapping[str, Any]]],
    name: str | None,
    said: beside.Beside | None,
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if name is not None:
        return [known.get(name, (name, {}))]
    first = [(said.timm_name, said.kwargs)] if said else []
    parts = ENDS.split(path.name)
    begun = ["-".join(parts[:end]) for end in range(len(parts), 0, -1)]
    hinted = [one for one in begun if timm.is_model(one)][:1]
    return [*first, *((one, {}) for one in hinted), *known.values()]


def _stem(state: Mapping[str, torch.Tensor], timm_name: str, kwargs: Mapping[str, Any]) -> str:
    """Return the stem with which a file is of this network, "" where it is of another."""
    outputs, apart = _compared(state, timm_name, kwargs, "imagenet")
    if outputs and not apart:
        return "imagenet"
    if outputs and len(apart) <= FIRST and not _compared(state, timm_name, kwargs, "cifar")[1]:
        return "cifar"
    return ""


def _compared(
    state: Mapping[str, torch.Tensor], timm_name: str, kwargs: Mapping[str, Any], stem: str
) -> tuple[int, list[str]]:
    """Return how many outputs a file has, 0 for no head, and how it differs from a network."""
    try:
        with torch.device("meta"):
            model = build(timm_name, classes=2, stem=stem, kwargs=kwargs)
    except KdpruneError as error:
        return 0, [str(error)]
    wanted = model.state_dict()
    given = renamed(unwrapped(state, wanted, ""), model)
    last = given.get(f"{heads.classifier(model)}.weight")
    given = heads.fitted(given, model, told="", where="", head="new")
    given |= {name: x for name, x in wanted.items() if name.endswith(COUNTER)}
    outputs = len(last) if last is not None and last.ndim == 2 else 0
    return outputs, differences(wanted, given)

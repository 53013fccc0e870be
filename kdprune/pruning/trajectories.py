"""What a method left that trains on its way: a folder with a safetensors file per level.

A file holds the network's tensors ("state NAME"), its masks, an element a bit ("mask NAME"; a
weight of 0 is not a masked one), which channels stayed ("kept SIDE LAYER"), and as metadata what
`Pruned` says besides, and which dense network it came from. Nothing is unpickled. levels.json says
which levels there are, and which the method cannot reach.
"""

import copy
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from kdprune.device import arrange
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.models import vetting
from kdprune.models.checkpoints import cut_to
from kdprune.pruning.pruned import Pruned, apply
from kdprune.records import read_json, write_json

KEY = "kdprune"
DECLARED = "levels.json"
STATE, MASK, KEPT = "state ", "mask ", "kept "
# What readers raise of damaged bytes, and of a network that lacks a tensor
DAMAGED: tuple[type[Exception], ...] = (OSError, SafetensorError, RuntimeError, LookupError)
DAMAGED += (ValueError, TypeError, AttributeError)


def store(folder: Path, pruned: Pruned, dense: nn.Module) -> None:
    """Write a level of the trajectory that began with `dense`."""
    tensors = {
        f"{STATE}{name}": value.detach().cpu().contiguous().clone()
        for name, value in pruned.model.state_dict().items()
    }
    tensors |= {f"{MASK}{name}": _packed(mask.cpu().numpy()) for name, mask in pruned.masks.items()}
    tensors |= {
        f"{KEPT}{side} {layer}": _packed(kept) for (layer, side), kept in pruned.kept.items()
    }
    told: dict[str, Any] = {
        "level": pruned.level,
        "ratio": pruned.ratio,
        "sparsity": pruned.sparsity,
        "layers": pruned.layers,
        "widths": {f"{side} {layer}": len(kept) for (layer, side), kept in pruned.kept.items()},
        "dense": digest(dense),
    }
    text = json.dumps(told, sort_keys=True, allow_nan=False)
    with replacing(file(folder, pruned.level)) as temporary:
        temporary.write_bytes(save(tensors, metadata={KEY: text}))


def declare(folder: Path, reached: Sequence[float], levels: Sequence[float], most: float) -> None:
    """Write which of `levels` the trajectory has; the rest is beyond `most`, the highest."""
    told = {"reached": list(reached), "beyond": [one for one in levels if one not in reached]}
    write_json(folder / DECLARED, {**told, "most": most})


def levels_of(folder: Path | None, levels: Sequence[float]) -> list[float]:
    """Return those of `levels` that the trajectory in `folder` does not declare out of reach.

    All, without a trajectory. Raises KdpruneError where it declares nothing.
    """
    beyond = [] if folder is None else _declared(folder)["beyond"]
    return [level for level in levels if level not in beyond]


def read(
    folder: Path | None, model: nn.Module, levels: Sequence[float], *, method: str
) -> Iterator[Pruned]:
    """Yield the levels of the trajectory in `folder` that began with `model`.

    Raises KdpruneError where there is none, where a level is missing or damaged, and where it began
    with another network.
    """
    if folder is None:
        raise KdpruneError(
            f"prune.method: {method} prunes while it trains, which the stage sparsify does for the "
            "networks of a study; name one of its sweeps"
        )
    began, declared = digest(model), _declared(folder)
    for level in levels:
        if level in declared["beyond"]:
            raise KdpruneError(
                f"{folder}: {method} can remove {declared['most']:.1%} of this network's weights "
                f"at most, not {level:.1%}; name one of {', '.join(map(str, declared['reached']))}"
            )
        yield _read(file(folder, level), model, began)


def _declared(folder: Path) -> dict[str, Any]:
    path = folder / DECLARED
    try:
        told = read_json(path)
        parts = {name: list(told[name]) for name in ("beyond", "reached")}
        parts = {name: [_share({name: x}, name) for x in held] for name, held in parts.items()}
        return {**parts, "most": _share(told, "most")}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise KdpruneError(
            f"{path}: does not say which levels there are ({_said(error)}); run "
            "`dvc repro sparsify`"
        ) from None


def file(folder: Path, level: float) -> Path:
    """Return the file of a level."""
    return folder / f"{level}.safetensors"


def digest(model: nn.Module) -> str:
    """Return a hash of a network's tensors, alike on every device and in every layout."""
    told = hashlib.sha256()
    for name, value in model.state_dict().items():
        told.update(name.encode())
        told.update(value.detach().cpu().contiguous().numpy().tobytes())
    return told.hexdigest()


def _read(path: Path, model: nn.Module, began: str) -> Pruned:
    device = str(next(model.parameters()).device)
    try:
        vetting.check_header(path)
        with safe_open(path, framework="pt", device=device) as opened:
            told = json.loads((opened.metadata() or {})[KEY])
            tensors = {name: opened.get_tensor(name).clone() for name in list(opened.keys())}
        if told["dense"] != began:
            raise KdpruneError(
                f"{path}: began with another network than the one given; run `dvc repro sparsify`"
            )
        state = _of(tensors, STATE)
        network = copy.deepcopy(model)
        cut_to(network, {name: tuple(value.shape) for name, value in state.items()})
        network.load_state_dict(state)
        masks = {
            name: torch.from_numpy(_unpacked(bits, state[name].numel())).view(state[name].shape)
            for name, bits in _of(tensors, MASK).items()
        }
        kept = {
            (name.partition(" ")[2], name.partition(" ")[0]): _unpacked(bits, told["widths"][name])
            for name, bits in _of(tensors, KEPT).items()
        }
        level, ratio, sparsity = (_share(told, part) for part in ("level", "ratio", "sparsity"))
        if file(path.parent, told["level"]) != path:  # as store named it
            raise ValueError(f"it says that its level is {level}")
        layers = _rows(told["layers"])
        if bad := [name for name, value in state.items() if not value.isfinite().all()]:
            raise ValueError(f"a NaN or an infinity in {bad[0]}")
    except DAMAGED as error:
        raise KdpruneError(
            f"{path}: holds no level of a trajectory ({_said(error)}); run `dvc repro sparsify`"
        ) from None
    masks = {name: mask.to(device) for name, mask in masks.items()}
    apply(arrange(network).eval(), masks)
    return Pruned(level, ratio, sparsity, network, masks, layers, kept)


def _share(told: dict[str, Any], name: str) -> float:
    """Return a share that a file tells; JSON reads NaN, and numbers beyond 1, as any other."""
    value = told[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is no finite number")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value:g}, not from 0 to 1")
    return float(value)


def _rows(layers: Any) -> list[dict[str, Any]]:
    if not isinstance(layers, list) or not all(isinstance(row, dict) for row in layers):
        raise ValueError("layers is no list of rows")
    return layers


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"[:200]
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _of(tensors: dict[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(kind): held for name, held in tensors.items() if name.startswith(kind)
    }


def _packed(kept: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.packbits(kept.reshape(-1)))


def _unpacked(bits: torch.Tensor, count: int) -> np.ndarray:
    return np.unpackbits(bits.cpu().numpy(), count=count).astype(bool)

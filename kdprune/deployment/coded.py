"""A network in a compressed file, and back: what Deep Compression makes of it, and what it costs.

The weights of convolutions and linear layers are coded; biases, batch norm and its counters are
kept as they are. Batch norm's statistics are estimated anew behind coded weights, as behind pruned
ones. A file is judged by what is loaded from it, never by what was written into it.
"""

import copy
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as serialise
from torch import nn

from kdprune import models
from kdprune.compression import files, tensors
from kdprune.compression.tensors import Coded
from kdprune.data.augment import Augment
from kdprune.errors import KdpruneError
from kdprune.models import checkpoints, counts
from kdprune.models.metadata import read as check_metadata
from kdprune.sweeps.batchnorm import re_estimate
from kdprune.training.loop import evaluate

SUFFIX = ".kdz"
LOSSY = ("int8", "shared")
Data = Mapping[str, torch.Tensor]


def codings(bits: Sequence[int]) -> dict[str, Callable[[np.ndarray], Coded]]:
    """Return each coding's function of a weight: float32 and int8, then shared values of `bits`."""
    shared = {f"shared{one}": partial(tensors.shared, bits=one) for one in bits}
    return {"float32": tensors.sparse, "int8": tensors.int8, **shared}


def encode(model: nn.Module, coding: Callable[[np.ndarray], Coded]) -> dict[str, Coded]:
    """Return the tensors of a network by name, the weights that pruning could remove by `coding`.

    Raises KdpruneError for a weight that is no finite number.
    """
    weights = {f"{name}.weight" for name in counts.prunable(model)}
    coded = {}
    for name, value in model.state_dict().items():
        array = value.detach().cpu().contiguous().numpy()
        if not np.isfinite(array).all():
            raise KdpruneError(f"compress: {name} holds a NaN or an infinity, which has no code")
        coded[name] = coding(array) if name in weights else tensors.plain(array)
    return coded


def decoded(model: nn.Module, coded: Mapping[str, Coded]) -> nn.Module:
    """Return a copy of a network with the tensors that `coded` stands for."""
    made = copy.deepcopy(model)
    state = {name: tensors.restored(*one) for name, one in coded.items()}
    made.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    return made.eval()


def compressed(
    model: nn.Module,
    coding: Callable[[np.ndarray], Coded],
    data: Data,
    re_estimate_images: int,
    augment: Augment,
) -> tuple[nn.Module, dict[str, Coded]]:
    """Code a network; return it as it is behind the coding, and its tensors as they are stored.

    `data` and the rest as of `kdprune.sweeps.sweep.sweep`. Where nothing is lost, nothing is
    estimated anew either.
    """
    coded = encode(model, coding)
    made = decoded(model, coded)
    if re_estimate_images and any(one.entry.form in LOSSY for one in coded.values()):
        images, stats = data["train_images"], (data["mean"], data["std"])
        re_estimate(made, images, *stats, count=re_estimate_images, augment=augment)
        state = made.state_dict()
        coded |= {
            name: tensors.plain(state[name].cpu().numpy())
            for name, one in coded.items()
            if one.entry.form in tensors.PLAIN
        }
    return made, coded


def load(path: str | Path, device: str | torch.device = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """Load a compressed network; return it, in evaluation mode, and its metadata.

    Raises KdpruneError as `files.read` and `checkpoints.load` do: what the file restores is held to
    all that a checkpoint is held to.
    """
    outline(path)
    arrays, described = files.read(path)
    text = json.dumps(described)
    check_metadata(text, path)
    state = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "network.safetensors"
        whole.write_bytes(serialise(state, metadata={checkpoints.KEY: text}))
        try:
            return models.load(whole, device)
        except KdpruneError as error:
            raise KdpruneError(str(error).replace(str(whole), str(path))) from None


def outline(path: str | Path) -> tuple[nn.Module, dict[str, Any], checkpoints.Shapes]:
    """Return what `checkpoints.outline` does of a compressed file, whose tensors are not made.

    A byte of the file may stand for a thousand zeros. The shapes are held to the network as those
    of a checkpoint without content, a file that takes no room on the disk. Raises KdpruneError
    unless the tensors are those of the network that the file describes.
    """
    entries, described = files.outline(path)
    text, place = json.dumps(described), 0
    check_metadata(text, path)
    header: dict[str, Any] = {"__metadata__": {checkpoints.KEY: text}}
    for name, entry in sorted(entries.items()):
        kind, width = ("I64", 8) if entry.form == "int64" else ("F32", 4)
        end = place + width * entry.elements
        header[name] = {"dtype": kind, "shape": entry.shape, "data_offsets": [place, end]}
        place = end
    told = json.dumps(header).encode()
    with tempfile.TemporaryDirectory() as folder:
        hollow = Path(folder) / "network.safetensors"
        with hollow.open("wb") as file:
            file.write(len(told).to_bytes(8, "little") + told)
            file.truncate(8 + len(told) + place)
        try:
            return checkpoints.outline(hollow)
        except KdpruneError as error:
            raise KdpruneError(str(error).replace(str(hollow), str(path))) from None


def forms(path: str | Path) -> list[str]:
    """Return how the tensors of a compressed file are stored: such as float32 and shared."""
    return sorted({entry.form for entry in files.outline(path)[0].values()})


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks hold the same tensors, bit for bit."""
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        ours[name].cpu().numpy().tobytes() == theirs[name].cpu().numpy().tobytes() for name in ours
    )


def measured(
    model: nn.Module,
    data: Data,
    metadata: Mapping[str, Any],
    bits: Sequence[int],
    re_estimate_images: int,
    augment: Augment,
) -> list[dict[str, Any]]:
    """Write `model` by every coding, read the file, and evaluate what was read.

    Returns a row per coding: coding, bytes (of the file), fixed_bytes (as many without Huffman's
    codes, by Deep Compression's formula; of shared values alone), val_accuracy and test_accuracy
    in percent. Raises KdpruneError where a file does not give back what was written into it.
    """
    place, stats, rows = data["train_images"].device, (data["mean"], data["std"]), []
    for name, coding in codings(bits).items():
        made, coded = compressed(model, coding, data, re_estimate_images, augment)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"network{SUFFIX}"
            files.write(path, coded, metadata)
            loaded, _ = load(path, place)
            size = path.stat().st_size
        if not same(made, loaded):
            raise KdpruneError(f"compress: what {name} wrote is not what it reads; tell us")
        row: dict[str, Any] = {"coding": name, "bytes": size, "fixed_bytes": _fixed(name, coded)}
        for split in ("val", "test"):
            images, labels = data[f"{split}_images"], data[f"{split}_labels"]
            row[f"{split}_accuracy"] = evaluate(loaded, images, labels, *stats)
        rows.append(row)
    return rows


def _fixed(name: str, coded: Mapping[str, Coded]) -> int | None:
    if not name.startswith("shared"):
        return None
    bits = int(name.removeprefix("shared"))
    return sum(
        tensors.fixed_bytes(one.entry, bits) if one.entry.form == "shared" else len(one.data)
        for one in coded.values()
    )

"""Networks as files: one safetensors file that says by itself how to rebuild the network.

A pruned network has two more entries in its metadata: "pruned", what was done, and "input", how
images are prepared. A network whose channels were removed is rebuilt dense
from its metadata, and every layer is then cut to the shape in which its weights are stored: shapes
say all that removal did. Nothing is unpickled.
"""

import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import nn

from kdprune.device import arrange
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.models import metadata, vetting
from kdprune.models.building import build
from kdprune.models.composite import ReusedClassifier
from kdprune.models.limits import bounded
from kdprune.terminal import printable

Shapes = dict[str, tuple[int, ...]]
KEY = "kdprune"  # the one metadata entry of a checkpoint
KINDS = {torch.float32: "F32", torch.int64: "I64"}  # a network's, and its counters'


def save(path: str | Path, model: nn.Module, described: Mapping[str, Any]) -> None:
    """Save a network that `load` rebuilds with nothing else: one safetensors file, written whole.

    `described` holds the arguments of `build` under "network" (`timm_name`, `classes`, `stem`,
    `kwargs`); a SimKD composite has those of its encoder there, and "projector" besides
    (`composite.describe`). What else it may hold, `models.metadata` says. The same network
    gives the same bytes.
    """
    text = json.dumps(dict(described), sort_keys=True, allow_nan=False)
    state = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    with replacing(path) as temporary:
        temporary.write_bytes(serialise(state, metadata={KEY: text}))


def load(path: str | Path, device: str | torch.device = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """Load a checkpoint, pruned or not; return the network, in evaluation mode, and its metadata.

    Raises KdpruneError where the file is damaged, is none of ours, or holds a NaN or an infinity.
    The network is built on the meta device, where it takes no memory, is compared with the file's
    own shapes, and is given the file's tensors.
    """
    model, described, shapes = outline(path)
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            state = {name: file.get_tensor(name).clone() for name in shapes}  # not the file's pages
        if _computes_more(model, shapes):
            model = _of_shapes(path, described, shapes, "cpu")
        model.load_state_dict(state, assign=all(value.is_meta for value in model.parameters()))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise _unfit(path, error) from None
    for name, value in state.items():
        if not value.isfinite().all():
            raise KdpruneError(f"{path}: holds a NaN or an infinity in {name}; it is damaged")
    return arrange(model.to(device)).eval(), described


def outline(path: str | Path) -> tuple[nn.Module, dict[str, Any], Shapes]:
    """Return a checkpoint's network without weights (on the meta device), metadata and shapes.

    Reads the header alone. Raises KdpruneError as `load` does.
    """
    described, shapes, kinds = _header(path)
    model = _of_shapes(path, described, shapes, "meta")
    state = model.state_dict()
    if {name: tuple(value.shape) for name, value in state.items()} != shapes:
        raise KdpruneError(f"{path}: does not hold the tensors of the network that it describes")
    for name, value in state.items():
        kind, wanted = kinds[name], KINDS.get(value.dtype)
        if kind != wanted:
            raise KdpruneError(f"{path}: holds {name} as {kind}, not {wanted}; nothing is cast")
    return model.eval(), described, shapes


def header(path: str | Path) -> tuple[dict[str, Any], Shapes]:
    """Return a checkpoint's metadata and its tensors' shapes without reading any weight.

    The metadata are checked (models.metadata), and nothing is built of them.
    """
    return _header(path)[:2]


def _header(path: str | Path) -> tuple[dict[str, Any], Shapes, dict[str, str]]:
    """Return metadata, shapes, and the tensors' types as safetensors names them."""
    shapes, kinds = {}, {}
    try:
        vetting.check_header(Path(path))
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(KEY, "null")
            for name in list(file.keys()):
                part = file.get_slice(name)
                shapes[name], kinds[name] = tuple(part.get_shape()), part.get_dtype()
    except (OSError, SafetensorError, ValueError, OverflowError) as error:
        told = printable(error)[:200]
        raise KdpruneError(f"{path}: is no readable checkpoint ({told})") from None
    return metadata.read(text, path), shapes, kinds


def cut_to(model: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Give the parameters and buffers of `model` new `shapes`, with weights undefined.

    Channel counts of convolutions, linear layers and batch norms follow; a depthwise convolution
    stays depthwise. Raises AttributeError for a tensor that the network does not have, ValueError
    for one that no cut gives.
    """
    changed = set()
    for name, shape in shapes.items():
        owner, _, leaf = name.rpartition(".")
        layer = model.get_submodule(owner)
        tensor = getattr(layer, leaf)
        if tuple(tensor.shape) == tuple(shape):
            continue
        if not _is_cut(tuple(tensor.shape), tuple(shape)):
            raise ValueError(f"{name} is {list(shape)}, no cut of {list(tensor.shape)}")
        changed.add(layer)
        empty = torch.empty(shape, dtype=tensor.dtype, device=tensor.device)
        held = isinstance(tensor, nn.Parameter)
        setattr(layer, leaf, nn.Parameter(empty, tensor.requires_grad) if held else empty)
    for layer in changed:
        if isinstance(layer, nn.Conv2d):
            depthwise = layer.groups == layer.out_channels > 1
            layer.out_channels = layer.weight.shape[0]
            layer.groups = layer.out_channels if depthwise else layer.groups
            layer.in_channels = layer.weight.shape[1] * layer.groups
        elif isinstance(layer, nn.Linear):
            layer.out_features, layer.in_features = layer.weight.shape
        elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.num_features = len(layer.running_mean)


def _is_cut(whole: tuple[int, ...], left: tuple[int, ...]) -> bool:
    """Whether channels, the first two dimensions, may have been removed, and nothing else was."""
    fits = len(whole) == len(left) and whole[2:] == left[2:]
    return fits and all(0 < size <= most for size, most in zip(left, whole, strict=True))


def _of_shapes(path: Any, described: Mapping[str, Any], shapes: Shapes, device: str) -> nn.Module:
    network, projector = described["network"], described.get("projector")
    elements = sum(math.prod(shape) for shape in shapes.values())
    try:
        with torch.device(device), bounded(len(shapes), elements, path), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of torch, about layers without elements: refused below
            model = build(**network)
            if projector is not None:
                model = ReusedClassifier.blank(model, classes=network["classes"], **projector)
        cut_to(model, shapes)
        if len(model.get_classifier().weight) != network["classes"]:
            raise ValueError(f"not {network['classes']} outputs")  # no pruning removes these
    except KdpruneError as error:
        told = str(error)
        raise (error if told.startswith(f"{path}: ") else KdpruneError(f"{path}: {told}")) from None
    except (AttributeError, TypeError, LookupError, RuntimeError, ValueError) as error:
        raise _unfit(path, error) from None
    return model


def _computes_more(model: nn.Module, stored: Shapes) -> bool:
    """Whether a network holds tensors that no file has: it computes them as it is built."""
    plain = any(
        isinstance(value, torch.Tensor) for part in model.modules() for value in vars(part).values()
    )
    return plain or any(name not in stored for name, _ in model.named_buffers())


def _unfit(path: Any, error: Exception) -> KdpruneError:
    reason = printable((str(error).splitlines() or [type(error).__name__])[0])[:200]
    return KdpruneError(f"{path}: metadata and weights do not fit kdprune: {reason}")

"""Networks as files: one safetensors file that says by itself how to rebuild the network.

A pruned network has two more entries in its metadata: "pruned", what was done, and "input", how
images are prepared. A network whose channels were removed is rebuilt dense
from its metadata, and every layer is then cut to the shape in which its weights are stored: shapes
say all that removal did. Nothing is unpickled.
"""

import json
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
from kdprune.models.building import build
from kdprune.models.composite import ReusedClassifier

Shapes = dict[str, tuple[int, ...]]
KEY = "kdprune"  # the one metadata entry of a checkpoint


def save(path: str | Path, model: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Save a network that `load` rebuilds with nothing else: one safetensors file, written whole.

    `metadata` holds the arguments of `build` under "network" (`timm_name`, `classes`, `stem`,
    `kwargs`); a SimKD composite has those of its encoder there, and "projector" besides
    (`ReusedClassifier.describe`). Anything else in it must be JSON too. The same network gives the
    same bytes.
    """
    text = json.dumps(dict(metadata), sort_keys=True, allow_nan=False)
    state = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    with replacing(path) as temporary:
        temporary.write_bytes(serialise(state, metadata={KEY: text}))


def load(path: str | Path, device: str | torch.device = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """Load a checkpoint, pruned or not; return the network, in evaluation mode, and its metadata.

    Raises KdpruneError where the file is damaged, or is none of ours.
    """
    metadata, shapes = header(path)
    model = _of_shapes(path, metadata, shapes, "cpu")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            state = {name: file.get_tensor(name) for name in shapes}
        model.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise KdpruneError(f"{path}: metadata and weights do not fit kdprune: {reason}") from None
    return arrange(model.to(device)).eval(), metadata


def outline(path: str | Path) -> tuple[nn.Module, dict[str, Any], Shapes]:
    """Return a checkpoint's network without weights (on the meta device), metadata and shapes.

    Reads the header alone. Raises KdpruneError as `load` does.
    """
    metadata, shapes = header(path)
    model = _of_shapes(path, metadata, shapes, "meta")
    if {name: tuple(value.shape) for name, value in model.state_dict().items()} != shapes:
        raise KdpruneError(f"{path}: does not hold the tensors of the network that it describes")
    return model.eval(), metadata, shapes


def header(path: str | Path) -> tuple[dict[str, Any], Shapes]:
    """Return a checkpoint's metadata and its tensors' shapes without reading any weight."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(KEY, "null"))
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise KdpruneError(f"{path}: is no readable checkpoint ({error})") from None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("network"), dict):
        raise KdpruneError(f"{path}: is a safetensors file, but no checkpoint of kdprune")
    return metadata, shapes


def cut_to(model: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Give the parameters and buffers of `model` new `shapes`, with weights undefined.

    Channel counts of convolutions, linear layers and batch norms follow; a depthwise convolution
    stays depthwise. Raises AttributeError for a tensor that the network does not have.
    """
    changed = set()
    for name, shape in shapes.items():
        owner, _, leaf = name.rpartition(".")
        layer = model.get_submodule(owner)
        tensor = getattr(layer, leaf)
        if tuple(tensor.shape) == tuple(shape):
            continue
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


def _of_shapes(path: Any, metadata: Mapping[str, Any], shapes: Shapes, device: str) -> nn.Module:
    described, projector = metadata["network"], metadata.get("projector")
    try:
        with torch.device(device):
            model = build(**described)
            if projector is not None:
                model = ReusedClassifier.blank(model, classes=described["classes"], **projector)
        cut_to(model, shapes)
    except (AttributeError, TypeError, KeyError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise KdpruneError(f"{path}: metadata and weights do not fit kdprune: {reason}") from None
    return model

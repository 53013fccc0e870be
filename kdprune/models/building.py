"""Networks: built by name through timm, saved to and loaded from one safetensors file.

Every network here offers timm's API: `forward_features(x)` [B, C, H, W], the maps that the
classifier pools; `forward_head(maps, pre_logits=True)` [B, d], the pooled features;
`get_classifier()`, the last nn.Linear; and `forward(x)`, the logits [B, classes].
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import nn

from kdprune.composite import ReusedClassifier
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.grid import nearest
from kdprune.layout import arrange
from kdprune.stems import cifar_stem

KEY = "kdprune"  # the one metadata entry of a checkpoint


def build(
    timm_name: str,
    *,
    classes: int,
    stem: str = "imagenet",
    kwargs: Mapping[str, Any] | None = None,
    pretrained: bool = False,
    seed: int | None = None,
) -> nn.Module:
    """Build a timm network with `classes` outputs.

    `stem` "imagenet" leaves the network as timm builds it; "cifar" gives its first convolution
    stride 1 and drops the pool behind it (kdprune.stems). `seed` fixes the initial weights and
    leaves the global generator as it was. Raises KdpruneError for unknown names, arguments that
    the constructor refuses, networks without a linear classifier that has a bias, and weights out
    of reach.
    """
    if timm_name not in timm.list_models():
        hint = nearest(timm_name, timm.list_models())
        raise KdpruneError(f"architectures: timm has no network {timm_name!r}; {hint}")
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        try:
            model = timm.create_model(
                timm_name, pretrained=pretrained, num_classes=classes, **dict(kwargs or {})
            )
        except Exception as error:  # whatever timm's many constructors raise
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            if pretrained and isinstance(error, (OSError, RuntimeError)):
                raise KdpruneError(
                    f"model.pretrained: weights of {timm_name} cannot be had "
                    f"({type(error).__name__}); set pretrained: false or make the hub reachable"
                ) from None
            raise KdpruneError(
                f"architectures: timm cannot build {timm_name} with {dict(kwargs or {})} ({reason})"
            ) from None
        if stem == "cifar":
            cifar_stem(model, timm_name)
    head = model.get_classifier()
    if not isinstance(head, nn.Linear) or head.bias is None:
        raise KdpruneError(
            f"architectures: {timm_name} does not end in one linear classifier with a bias"
        )
    return arrange(model)


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
    """Load a checkpoint; return the network, in evaluation mode, and its metadata.

    Raises KdpruneError where the file is damaged, or is no checkpoint of ours.
    """
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            metadata = json.loads((file.metadata() or {}).get(KEY, "null"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise KdpruneError(f"{path}: is no readable checkpoint ({error})") from None
    try:
        model = _rebuild(metadata)
        model.load_state_dict(state)
    except (TypeError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise KdpruneError(f"{path}: metadata and weights do not fit kdprune: {reason}") from None
    return arrange(model.to(device)).eval(), metadata


def _rebuild(metadata: Mapping[str, Any]) -> nn.Module:
    with torch.device("cpu"):
        network = build(**metadata["network"])
    projector = metadata.get("projector")
    if projector is None:
        return network
    return ReusedClassifier.blank(network, classes=metadata["network"]["classes"], **projector)

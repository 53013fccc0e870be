"""Takes a network's weights from a file of the user's own."""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from kdprune.errors import KdpruneError

NESTED = ("state_dict", "model")  # where training scripts keep the weights among other things
WRAPPED = "module."  # what nn.DataParallel puts before every name
SHOWN = 3  # differences named in one line


def adopt(model: nn.Module, path: str | Path, *, sha256: str, where: str) -> None:
    """Load the state dict at `path` into `model`, in place.

    A .safetensors file, or whatever torch.load reads with `weights_only`: nothing in it is
    executed. Raises KdpruneError, naming `where`, for a file that is not there, has another
    SHA-256, is damaged, holds NaN or infinity, or has other names or shapes than the network.
    """
    path = Path(path).expanduser()
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise KdpruneError(f"{where}.path: {path} cannot be read ({error.strerror})") from None
    if digest != sha256:
        raise KdpruneError(f"{where}.sha256: {path} has {digest}; write that, if the file is right")
    state = _state(path, where)
    if differences := _differences(model.state_dict(), state):
        told = "; ".join(differences[:SHOWN])
        more = f"; and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        raise KdpruneError(
            f"{where}.path: {path} does not fit the network of architectures and model.stem: "
            f"{told}{more}"
        )
    for name, value in state.items():
        if not value.isfinite().all():
            raise KdpruneError(f"{where}.path: {path} holds a NaN or an infinity in {name}")
    model.load_state_dict(state)


def goes_on(told: bool | None) -> bool:
    """Whether a network of such a file is trained on: unless the parameters say that it is not."""
    return told is not False


def _state(path: Path, where: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name."""
    try:
        if path.suffix == ".safetensors":
            held = load_file(path)
        else:
            held = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise KdpruneError(f"{where}.path: {path} is damaged or no checkpoint ({reason})") from None
    except pickle.UnpicklingError:
        raise KdpruneError(
            f"{where}.path: {path} holds more than tensors and plain values, or is no checkpoint; "
            "save its state dict alone, best as .safetensors"
        ) from None
    for name in NESTED:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
    if not isinstance(held, Mapping) or not all(isinstance(x, torch.Tensor) for x in held.values()):
        raise KdpruneError(f"{where}.path: {path} is no state dict: names and tensors alone")
    return {str(name).removeprefix(WRAPPED): value for name, value in held.items()}


def _differences(
    wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]
) -> list[str]:
    """Say which names are missing, of other shape or unknown, in this order."""
    missing = [f"{name} is missing" for name in wanted if name not in given]
    shapes = [
        f"{name} is {list(given[name].shape)}, not {list(value.shape)}"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    return missing + shapes + [f"{name} is unknown" for name in given if name not in wanted]

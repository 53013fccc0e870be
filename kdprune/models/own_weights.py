"""Takes a network's weights from a file of the user's own."""

import hashlib
import pickle
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.files import expanded
from kdprune.models import heads, vetting
from kdprune.models.torchvision_names import renamed

NESTED = ("state_dict", "model")  # where training scripts keep the weights among other things
# What is put before every name: by nn.DataParallel, by Lightning (its attribute)
WRAPPED = ("module.", "model.")
COMPILED = "_orig_mod"  # by torch.compile, around the part that it compiled
COUNTER = "num_batches_tracked"  # of a batch norm; older files lack it, and nothing here reads it
# What readers raise of damaged bytes, as if of their own
DAMAGED: tuple[type[Exception], ...] = (OSError, SafetensorError, RuntimeError, ValueError)
DAMAGED += (EOFError, LookupError, TypeError, AttributeError, AssertionError)
DAMAGED += (zipfile.BadZipFile, zlib.error)
SHOWN, LONGEST = 3, 100  # differences named in one line; letters of a name


def adopt(
    model: nn.Module,
    path: str | Path,
    *,
    sha256: str,
    where: str,
    head: str | None = None,
    outputs: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> None:
    """Load the state dict at `path` into `model`, in place.

    A .safetensors file, or whatever torch.load reads with `weights_only`: nothing in it is
    executed. What DataParallel, torch.compile and Lightning put before the names is taken off,
    torchvision's names are understood (models.torchvision_names), and a missing count of batches
    stays 0. `head`, `outputs` and `classes` say what becomes of its last layer (models.heads).
    Raises KdpruneError, naming `where`, for a file that is not there, has another SHA-256, is
    damaged, holds NaN or infinity, has other names or shapes than the network, or tensors that are
    sparse, quantised, without values, or no floating point.
    """
    path = expanded(path)
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for without end
            raise KdpruneError(f"{where}.path: {path} is no regular file")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise KdpruneError(f"{where}.path: {path} cannot be read ({error.strerror})") from None
    if digest != sha256:
        raise KdpruneError(f"{where}.sha256: {path} has {digest}; write that, if the file is right")
    wanted = model.state_dict()
    told = f"{where}.path: {path}"
    state = renamed(unwrapped(read(path, where), wanted, told), model)
    state = heads.fitted(
        state, model, told=told, where=where, head=head, outputs=outputs, classes=classes
    )
    missing = {name: value for name, value in wanted.items() if name not in state}
    if all(name.endswith(COUNTER) for name in missing):
        state |= missing
    if told_apart := differences(wanted, state):
        first = "; ".join(told_apart[:SHOWN])
        more = f"; and {len(told_apart) - SHOWN} more" if len(told_apart) > SHOWN else ""
        raise KdpruneError(
            f"{told} does not fit the network of architectures and model.stem: "
            f"{first}{more}{_prefix(wanted, state)}"
        )
    for name, value in state.items():
        if fault := _unusable(value, wanted[name]):
            raise KdpruneError(f"{where}.path: {path} holds {name} {fault}")
        state[name] = value.to(wanted[name].dtype)  # of floats, the width alone
        if not state[name].isfinite().all():
            raise KdpruneError(f"{where}.path: {path} holds a NaN or an infinity in {name}")
    model.load_state_dict(state)


def goes_on(told: bool | None) -> bool:
    """Whether a network of such a file is trained on: unless the parameters say that it is not."""
    return told is not False


def _unusable(value: torch.Tensor, wanted: torch.Tensor) -> str:
    """Say why a tensor cannot be taken as it is, "" where it can."""
    if value.is_quantized:
        return "quantised; save it as floating point (dequantize())"
    if value.is_nested or value.layout != torch.strided:
        return "in a sparse or nested layout; save it dense (to_dense())"
    if value.is_meta:
        return "without values, on the meta device; save the network after its weights are loaded"
    if _kind(value) != _kind(wanted):
        return f"as {_kind(value)} numbers, not {_kind(wanted)}; nothing is cast, save it as such"
    return ""


def _kind(value: torch.Tensor) -> str:
    if value.dtype == torch.bool:
        return "boolean"
    return "complex" if value.is_complex() else "real" if value.is_floating_point() else "whole"


def unwrapped(
    state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], told: str
) -> dict[str, torch.Tensor]:
    """Take off what wrappers put before every name, as long as the network's own has it not."""
    names = {name: ".".join(part for part in name.split(".") if part != COMPILED) for name in state}
    while prefix := next((one for one in WRAPPED if _all_begin(names.values(), one)), ""):
        if _all_begin(wanted, prefix):
            break
        names = {name: short.removeprefix(prefix) for name, short in names.items()}
    renamed = {short: state[name] for name, short in names.items()}
    if len(renamed) != len(state):
        raise KdpruneError(f"{told} holds two tensors of one name, once wrapped and once not")
    return renamed


def _all_begin(names: Iterable[str], prefix: str) -> bool:
    names = list(names)
    return bool(names) and all(name.startswith(prefix) for name in names)


def _prefix(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> str:
    """Name what stands before the network's own names in the file, "" where that is not it."""
    first = next(iter(wanted))
    prefixes = Counter(name.removesuffix(first) for name in given if name.endswith(f".{first}"))
    for prefix in prefixes:
        held = [name for name in wanted if f"{prefix}{name}" in given]
        if len(held) > len(wanted) // 2:
            every = "all names" if _all_begin(given, prefix) else "the network's names"
            return f"; in the file, {every} begin with {prefix!r}: save them without it"
    return ""


def read(path: Path, where: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name."""
    try:
        vetting.check(path)
        if path.suffix == ".safetensors":
            held = load_file(path)
        else:
            held = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise KdpruneError(f"{where}.path: {path} holds more than this machine's memory") from None
    except DAMAGED as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
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
    try:
        vetting.check_names(held)
    except ValueError as error:
        raise KdpruneError(f"{where}.path: {path} holds {error}") from None
    return {str(name): value for name, value in held.items()}


def differences(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> list[str]:
    """Say which names are missing, of other shape or unknown, in this order."""
    missing = [f"{name} is missing" for name in wanted if name not in given]
    strangers = [f"{name[:LONGEST]} is unknown" for name in given if name not in wanted]
    shapes = [
        f"{name} is {list(given[name].shape)}, not {list(value.shape)}"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    return missing + shapes + strangers

"""A trial cut: do the groups that were found hold what belongs together?

A network is cut and compared with its masked twin, the same network with zeros in the place of what
was cut. Weights are drawn anew for it, so that the answer depends on the structure alone: a layer
that happens to be zero would hide a mistake.
"""

import copy
import time

import numpy as np
import torch
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.pruning.groups import OUT, Group
from kdprune.pruning.surgery import cut, kept_after, mask

TOLERANCE = 1e-4  # of the largest output: rounding stays below 1e-5, a mistake is above 1e-3
SECONDS = 120.0  # for the search of faulty groups


def sound(model: nn.Module, groups: list[Group], input_size: int) -> list[Group]:
    """Return the groups that can be cut with the same outputs as when they are zeroed.

    Half of the channels of each go. All are tried at once; only where that fails are the faulty
    ones sought by halves. Raises KdpruneError where the network does not run, and where the search
    does not end within SECONDS.
    """
    redrawn = _redrawn(model, input_size)
    images = _images(2, input_size)
    end = time.monotonic() + SECONDS
    good = _sought(redrawn, groups, images, end)
    while good and len(good) < len(groups) and not _agrees(redrawn, good, images):
        good = good[: len(good) // 2]  # each is sound, but not all together
    return good


def run(model: nn.Module, input_size: int) -> None:
    """Send one image through a cut network; raise KdpruneError where it does not take it."""
    training = model.training
    with torch.inference_mode():
        _forward(model.eval(), next(model.parameters()).new_zeros(1, 3, input_size, input_size))
    model.train(training)


def _forward(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    try:
        return model(images)
    except torch.OutOfMemoryError:  # no fault of the network's
        raise
    except Exception as error:  # whatever a network raises
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise KdpruneError(
            f"prune.method: channel pruning cannot run {type(model).__name__} ({reason}); "
            "use weight"
        ) from None


def _sought(model: nn.Module, groups: list[Group], images: torch.Tensor, end: float) -> list[Group]:
    if not groups or _agrees(model, groups, images):
        return groups
    if len(groups) == 1:
        return []
    if time.monotonic() > end:
        raise KdpruneError(
            f"prune.method: finding which channels of {type(model).__name__} can be cut did not "
            f"end within {SECONDS:g} s; use weight"
        )
    middle = len(groups) // 2
    halves = groups[:middle], groups[middle:]
    return [group for half in halves for group in _sought(model, half, images, end)]


@torch.no_grad()
def _agrees(model: nn.Module, groups: list[Group], images: torch.Tensor) -> bool:
    """Whether a cut copy of `model` and a masked one give the same outputs."""
    generator = np.random.default_rng(0)
    order = [number for number, group in enumerate(groups) for _ in range(group.size // 2)]
    kept = kept_after(groups, [generator.permutation(group.size) for group in groups], order)
    layers = [model.get_submodule(name) for name, side in kept if side == OUT]
    parts = {part: part.clone() for layer in layers for part in layer.parameters(recurse=False)}
    small = _shared(model)
    try:
        mask(model, kept)
        expected = _forward(model, images)
    finally:  # copying a network takes longer than all else here
        for part, value in parts.items():
            part.copy_(value)
    try:
        cut(small, groups, kept)
        outputs = small(images)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # whatever a network raises whose shapes do not fit
        return False
    if outputs.shape != expected.shape or not bool(expected.isfinite().all()):
        return False
    return bool((outputs - expected).abs().max() <= TOLERANCE * expected.abs().max())


def _shared(model: nn.Module) -> nn.Module:
    """Return a copy of the structure that holds the same tensors: cutting puts others there."""
    tensors = [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})


@torch.no_grad()
def _redrawn(model: nn.Module, input_size: int) -> nn.Module:
    """Return a single-precision copy on the CPU with weights drawn anew, in evaluation mode.

    Batch norm takes its statistics from the images of the trial, so that no signal dies.
    """
    copied = copy.deepcopy(model).cpu().float().eval()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in copied.named_parameters():
        parameter.requires_grad_(False)
        if parameter.dim() > 1:
            reach = (3 / parameter[0].numel()) ** 0.5  # of variance 1 / fan-in
            parameter.uniform_(-reach, reach, generator=generator)
        elif name.endswith("bias"):
            parameter.normal_(0, 0.2, generator=generator)
        else:
            parameter.uniform_(0.5, 1.5, generator=generator)
    norms = [part for part in copied.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    _forward(copied, _images(6, input_size))
    for norm in norms:
        norm.eval()
    return copied


def _images(count: int, input_size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, input_size, input_size, generator=generator)

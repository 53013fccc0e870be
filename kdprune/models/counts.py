"""Counts that are exact: parameters, multiply-adds, and weights that no pixel ever reaches."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.models.building import side_of

# Elements of the largest map that one image may leave behind: always (half a gigabyte: the widest
# networks make half of that of 512 pixels), and for each parameter
ROOM, SLACK = 1 << 27, 4
Layers = dict[str, nn.Conv2d | nn.Linear]


def parameters(model: nn.Module) -> int:
    """Return the number of parameters (no buffers)."""
    return sum(parameter.numel() for parameter in model.parameters())


def prunable(model: nn.Module) -> Layers:
    """Return the convolutions and linear layers by name, in module order.

    Their weights are what pruning removes; biases and batch norm are not counted.
    """
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def kind(layer: nn.Module) -> str:
    """Return "linear", "depthwise" or "conv"."""
    if isinstance(layer, nn.Linear):
        return "linear"
    return "depthwise" if layer.groups == layer.in_channels > 1 else "conv"


def macs(model: nn.Module, side: int | None = None) -> int:
    """Return the multiply-adds of the convolutions and linear layers for one image.

    `side` in pixels is the network's own unless given.
    """
    total = 0

    def count(layer: nn.Module, inputs: torch.Tensor, output: torch.Tensor) -> None:
        nonlocal total
        positions = output.numel() // layer.weight.shape[0]
        total += layer.weight.numel() * positions

    with _watched(model, count):
        _run_once(model, side)
    return total


def require_modest(model: nn.Module, where: Any) -> None:
    """Raise KdpruneError, naming `where`, for a network whose maps are far larger than its file.

    A small file may describe few wide maps of large images, which no machine holds. They are
    counted on the meta device, where they take no memory. A network that cannot run there is left
    to those who run it.
    """
    most = max(ROOM, SLACK * parameters(model))

    def check(layer: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.numel() > most:
            side = side_of(model)
            raise KdpruneError(
                f"{where}: makes maps of {output.numel():,} numbers of one image of {side} x {side}"
                f" pixels, and at most {most:,} are allowed for a network of its size; it is "
                "damaged, or made to exhaust this machine"
            )

    hollow = _hollow(model)
    for layer in hollow.modules():
        layer.register_forward_hook(check)
    try:
        with torch.inference_mode():
            hollow(torch.zeros(1, 3, side_of(model), side_of(model), device="meta"))
    except KdpruneError:
        raise
    except Exception:  # whatever a network raises that takes other images, or needs their values
        return


def _hollow(model: nn.Module) -> nn.Module:
    """Return a copy of a network on the meta device, made without a copy of its weights."""
    others = (value for layer in model.modules() for value in vars(layer).values())
    tensors = [value for value in others if isinstance(value, torch.Tensor)]
    tensors += [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(value): value.detach().to("meta") for value in tensors})


def dead_share(model: nn.Module, side: int | None = None) -> float:
    """Return the share of convolution weights that only ever meet zero padding.

    A kernel's tap is dead where no output position puts it on a pixel: such weights have no
    gradient from any image, and can be removed without changing a single output. Published
    networks with stride-32 stems have many at 32x32 (63 % in ResNet-18).
    """
    layers, dead, weights = prunable(model), 0, 0
    for name, reached in taps(model, side).items():
        held = layers[name].weight.numel()
        weights += held
        dead += held // reached.numel() * int((~reached).sum())
    return dead / weights if weights else 0.0


def taps(model: nn.Module, side: int | None = None) -> dict[str, torch.Tensor]:
    """Return which taps of each convolution's kernel some pixel of an image reaches.

    By the layer's name, bool [kernel height, kernel width], on the CPU. `side` in pixels is the
    network's own unless given. A convolution that one image does not run is left out.
    """
    names = {layer: name for name, layer in prunable(model).items()}
    found: dict[str, torch.Tensor] = {}

    def watch(layer: nn.Module, inputs: torch.Tensor, output: torch.Tensor) -> None:
        if not isinstance(layer, nn.Conv2d):
            return
        rows, columns = (
            _taps_on_pixels(
                inputs.shape[2 + axis],
                output.shape[2 + axis],
                kernel=layer.kernel_size[axis],
                stride=layer.stride[axis],
                padding=_padding(layer, axis, inputs.shape[2 + axis], output.shape[2 + axis]),
                dilation=layer.dilation[axis],
            )
            for axis in (0, 1)
        )
        reached = torch.outer(rows, columns)
        found[names[layer]] = reached | found.get(names[layer], torch.zeros_like(reached))

    with _watched(model, watch):
        _run_once(model, side)
    return found


def _taps_on_pixels(
    size: int, outputs: int, *, kernel: int, stride: int, padding: int, dilation: int
) -> torch.Tensor:
    starts = range(-padding, outputs * stride - padding, stride)
    places = ([start + tap * dilation for start in starts] for tap in range(kernel))
    return torch.tensor([any(0 <= place < size for place in each) for each in places])


def _padding(layer: nn.Conv2d, axis: int, size: int, outputs: int) -> int:
    """Return the padding before the first of `size` pixels, of which come `outputs`."""
    reach, stride = layer.dilation[axis] * (layer.kernel_size[axis] - 1), layer.stride[axis]
    if not isinstance(layer.padding, str):
        padding = int(layer.padding[axis])
        if outputs == (size + 2 * padding - reach - 1) // stride + 1:
            return padding
    # "same", "valid", or padded by the layer itself like timm's Conv2dSame: as TensorFlow does
    return max((outputs - 1) * stride + reach + 1 - size, 0) // 2


@contextmanager
def _watched(model: nn.Module, watch: Callable[..., None]) -> Iterator[None]:
    hooks = [
        layer.register_forward_hook(lambda m, i, o: watch(m, i[0], o))
        for layer in prunable(model).values()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _run_once(model: nn.Module, side: int | None) -> None:
    side = side_of(model) if side is None else side
    training = model.training
    parameter = next(model.parameters())
    image = parameter.new_zeros(1, 3, side, side)
    try:
        with torch.inference_mode():
            model.eval()(image)
    except torch.OutOfMemoryError:  # no fault of the network's
        raise
    except Exception as error:  # whatever a network raises that is made for other images
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise KdpruneError(
            f"architectures: {type(model).__name__} does not take images of 3 x {side} x {side} "
            f"({reason}); see its kwargs"
        ) from None
    model.train(training)

"""The runtimes that exported networks are run by, opened for timing."""

import copy
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune.deployment import converting
from kdprune.device import device_name
from kdprune.errors import KdpruneError, nearest
from kdprune.models.building import side_of

VARIABLE = "KDPRUNE_RUNTIMES"
ON_REQUEST = ("openvino",)  # timed where VARIABLE names it


@dataclass(frozen=True)
class Opened:
    """Networks in a runtime: a call for each, the images that they take, and how to wait.

    `images`(batch) gives normal random images, alike in all runtimes. `device` is what the
    processor calls itself.
    """

    calls: list[Callable[[Any], Any]]
    images: Callable[[int], Any]
    wait: Callable[[], Any]
    device: str


def at_hand() -> list[str]:
    """Return the runtimes to time: those installed here, but of ON_REQUEST those asked for alone.

    Else a package that somebody installs for something else would put rows into the table of a
    study, and words into its document, that the next machine's has not, and take a third more time.
    A variable asks, as it does for the device: a parameter would make every study's times stale.
    Raises KdpruneError where KDPRUNE_RUNTIMES names what is unknown or not installed.
    """
    asked = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    for name in asked:
        demand(name, f"{VARIABLE}=")
    usual = (name for name in RUNTIMES if name not in ON_REQUEST)
    return list(dict.fromkeys([*(name for name in usual if not converting.missing(name)), *asked]))


def demand(name: str, where: str) -> None:
    """Raise KdpruneError, which begins with `where`, for one that is unknown or not installed."""
    if name not in RUNTIMES:
        raise KdpruneError(f"{where}{name}: is no runtime; {nearest(name, RUNTIMES)}")
    if absent := converting.missing(name):
        raise KdpruneError(
            f"{where}{name}: needs {' and '.join(absent)}; pip install {' '.join(absent)}"
        )


def open_torch(models: Sequence[nn.Module]) -> Opened:
    """Open networks for eager PyTorch, on the device that they are on."""
    place = next(models[0].parameters()).device
    wait = torch.accelerator.synchronize if place.type != "cpu" else lambda: None

    def images(batch: int) -> torch.Tensor:  # laid out as in training.loop
        return _images(models[0], batch).to(place).contiguous(memory_format=torch.channels_last)

    return Opened([_forward(one) for one in models], images, wait, device_name(place))


def open_onnx(models: Sequence[nn.Module]) -> Opened:
    """Open networks for ONNX Runtime on the CPU, with as many threads as torch has.

    They are converted by torch's tracing exporter, which takes a thirtieth of the time of the one
    that exports use: the runtime makes the same kernels of both. Raises KdpruneError where a
    network cannot be converted.
    """
    return converted(models, converting.onnx_runtime)


def open_openvino(models: Sequence[nn.Module]) -> Opened:
    """Open networks for OpenVINO on the CPU, as `open_onnx` does for ONNX Runtime."""
    return converted(models, converting.openvino)


def converted(models: Sequence[nn.Module], load: Callable[..., converting.Run]) -> Opened:
    """Open networks by way of an ONNX file each, which `load`(path, threads=) opens on the CPU."""
    return Opened(
        [_loaded(copy.deepcopy(one).cpu(), load) for one in models],
        lambda batch: _images(models[0], batch).numpy(),
        lambda: None,
        device_name(torch.device("cpu")),
    )


RUNTIMES = {"onnx": open_onnx, "openvino": open_openvino, "torch": open_torch}


def graph(model: nn.Module) -> str:
    """Return a name that two networks share if, and only if, a dense kernel treats them alike.

    It follows from all layers with their settings, from the shapes of what they hold, and from the
    side of the images; never from a weight: zeros take as long as other numbers.
    """
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    text = f"{side_of(model)} {model!r} {sorted(shapes.items())}"
    return f"g{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _forward(model: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    @torch.inference_mode()
    def call(images: torch.Tensor) -> torch.Tensor:
        return model(images)

    return call


def _images(model: nn.Module, batch: int) -> torch.Tensor:
    side = side_of(model)
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(0))


def _loaded(model: nn.Module, load: Callable[..., converting.Run]) -> converting.Run:
    buffer = io.BytesIO()
    with converting.quiet("onnx"):
        torch.onnx.export(
            model,
            (_images(model, 2),),
            buffer,
            input_names=[converting.INPUT],
            output_names=[converting.OUTPUT],
            dynamic_axes={converting.INPUT: {0: "batch"}, converting.OUTPUT: {0: "batch"}},
            dynamo=False,
            verbose=False,
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            path.write_bytes(buffer.getvalue())
            call = load(path, threads=torch.get_num_threads())
        for batch in (1, 3):  # of what was traced with two
            call(_images(model, batch).numpy())
    return call

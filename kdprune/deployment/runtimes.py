"""The runtimes that exported networks are run by, opened for timing."""

import copy
import hashlib
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune.deployment import converting
from kdprune.device import device_name
from kdprune.models.building import side_of


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
    """Return the runtimes that are installed here: what exports are for first."""
    return [name for name in RUNTIMES if not converting.missing(name)]


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
    calls = [_session(copy.deepcopy(one).cpu()) for one in models]
    return Opened(
        calls,
        lambda batch: _images(models[0], batch).numpy(),
        lambda: None,
        device_name(torch.device("cpu")),
    )


RUNTIMES = {"onnx": open_onnx, "torch": open_torch}


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


def _session(model: nn.Module) -> Callable[[Any], Any]:
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
            session = converting.session(path, threads=torch.get_num_threads())
        for batch in (1, 3):  # of what was traced with two
            session.run([converting.OUTPUT], {converting.INPUT: _images(model, batch).numpy()})
    return lambda images: session.run([converting.OUTPUT], {converting.INPUT: images})

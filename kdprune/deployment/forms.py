"""The forms in which a network leaves the project: safetensors, a torch.export program, ONNX.

`WRITERS[form](path, model, metadata)` writes one; `READERS[form](path)` reads it back as a function
from float images [B, 3, H, W] to logits [B, classes], as whoever uses the file would.
"""

import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune import models
from kdprune.errors import KdpruneError, nearest
from kdprune.models import checkpoints

Run = Callable[[torch.Tensor], torch.Tensor]
FILES = {"safetensors": "network.safetensors", "torch": "network.pt2", "onnx": "network.onnx"}
NEEDS = {"onnx": ("onnx", "onnxscript", "onnxruntime")}
INPUT, OUTPUT = "images", "logits"


def check(names: Sequence[str]) -> None:
    """Raise KdpruneError for a form that is unknown or whose packages are missing."""
    for name in names:
        if name not in FILES:
            raise KdpruneError(f"--format {name}: is unknown; {nearest(name, FILES)}")
        missing = [one for one in NEEDS.get(name, ()) if importlib.util.find_spec(one) is None]
        if missing:
            raise KdpruneError(
                f"--format {name}: needs {' and '.join(missing)}; pip install {' '.join(missing)}"
            )


def write_safetensors(path: Path, model: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Write the file that `kdprune.models.checkpoints.load` rebuilds the network from."""
    models.save(path, model, metadata)


def write_torch(path: Path, model: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Write a torch.export program for batches of any size: one argument, float images."""
    with _quiet("torch"):
        program = torch.export.export(model, (_example(metadata),), dynamic_shapes=(_any_batch(),))
        torch.export.save(program, path)


def write_onnx(path: Path, model: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Write an ONNX model for batches of any size: input `images`, output `logits`."""
    with _quiet("onnx"):
        torch.onnx.export(
            model,
            (_example(metadata),),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=(_any_batch(),),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def read_safetensors(path: Path) -> Run:
    """Rebuild the network from the file alone."""
    model, _ = checkpoints.load(path)
    return model


def read_torch(path: Path) -> Run:
    """Load the program with torch.export."""
    return torch.export.load(path).module()


def read_onnx(path: Path) -> Run:
    """Open a session of ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])


WRITERS = {"safetensors": write_safetensors, "torch": write_torch, "onnx": write_onnx}
READERS = {"safetensors": read_safetensors, "torch": read_torch, "onnx": read_onnx}


def _example(metadata: Mapping[str, Any]) -> torch.Tensor:
    return torch.zeros(2, *metadata["input"]["shape"])  # a batch of one would be taken as fixed


def _any_batch() -> dict[int, Any]:
    return {0: torch.export.Dim("batch")}


@contextmanager
def _quiet(form: str) -> Iterator[None]:
    """Silence the exporters' notes; turn what they raise, of many classes, into one line."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (KdpruneError, OSError, KeyboardInterrupt):
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise KdpruneError(
            f"--format {form}: the network cannot be converted ({type(error).__name__}: {reason})"
        ) from error
    finally:
        logging.disable(level)

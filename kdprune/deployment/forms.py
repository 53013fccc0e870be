"""The forms in which a network leaves the project: safetensors, a torch.export program, ONNX.

`WRITERS[form](path, model, metadata)` writes one that loses nothing (the compressed one, which
does, `bundle` writes); `READERS[form](path)` reads it back as a function
from float images [B, 3, H, W] to logits [B, classes], as whoever uses the file would.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune import models
from kdprune.deployment import coded, programs
from kdprune.deployment.converting import INPUT, OUTPUT, missing, onnx_runtime, openvino, quiet
from kdprune.errors import KdpruneError, nearest
from kdprune.models import checkpoints
from kdprune.terminal import printable

Run = Callable[[torch.Tensor], torch.Tensor]
COMPRESSED = "compressed"
FILES = {"safetensors": "network.safetensors", "torch": "network.pt2", "onnx": "network.onnx"}
FILES |= {COMPRESSED: f"network{coded.SUFFIX}"}
DESCRIBED = "kdprune.json"  # within a torch.export program, what the metadata of the others hold


def check(names: Sequence[str]) -> None:
    """Raise KdpruneError for a form that is unknown or whose packages are missing."""
    for name in names:
        if name not in FILES:
            raise KdpruneError(f"--format {name}: is unknown; {nearest(name, FILES)}")
        if absent := missing(name):
            raise KdpruneError(
                f"--format {name}: needs {' and '.join(absent)}; pip install {' '.join(absent)}"
            )


def write_safetensors(path: Path, model: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Write the file that `kdprune.models.checkpoints.load` rebuilds the network from."""
    models.save(path, model, metadata)


def write_torch(path: Path, model: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Write a torch.export program for batches of any size: one argument, float images.

    Its file `DESCRIBED` within holds, as JSON, how images are prepared and what the classes are.
    """
    with quiet("torch"):
        program = torch.export.export(model, (_example(metadata),), dynamic_shapes=(_any_batch(),))
        for module in program.graph_module.modules():
            for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
                node.meta.pop("stack_trace", None)  # names this machine's folders
        torch.export.save(program, path, extra_files={DESCRIBED: _described(metadata)})


def write_onnx(path: Path, model: nn.Module, metadata: Mapping[str, Any]) -> None:
    """Write an ONNX model for batches of any size: input `images`, output `logits`.

    Its metadata hold how images are prepared and what the classes are, each entry as JSON.
    """
    with quiet("onnx"):
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
        _describe_onnx(path, metadata)


def _describe_onnx(path: Path, metadata: Mapping[str, Any]) -> None:
    """Replace what the exporter noted, among it this machine's folders, by what users need."""
    import onnx

    model = onnx.load(path)
    _strip(model)
    onnx.helper.set_model_props(
        model, {name: json.dumps(value) for name, value in _entries(metadata).items()}
    )
    onnx.save(model, path)


def _strip(message: Any) -> None:
    """Clear the notes of an ONNX message and of all within it; no weight is looked into."""
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.type == field.TYPE_MESSAGE:
            for inner in [value] if hasattr(value, "ListFields") else value:
                _strip(inner)


def read_safetensors(path: Path) -> Run:
    """Rebuild the network from the file alone."""
    model, _ = checkpoints.load(path)
    return model


def read_torch(path: Path) -> Run:
    """Load with torch.export a program that this process wrote."""
    with _readable(path):
        return torch.export.load(path).module()


def read_onnx(path: Path) -> Run:
    """Open a session of ONNX Runtime on the CPU."""
    with _readable(path):
        run = onnx_runtime(path)
    return lambda images: torch.from_numpy(run(images.numpy()))


def read_openvino(path: Path) -> Run:
    """Open an ONNX file in OpenVINO on the CPU."""
    with _readable(path):
        run = openvino(path)
    return lambda images: torch.from_numpy(run(images.numpy()))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what libraries raise of a damaged file, of many classes, into one line."""
    try:
        yield
    except (KdpruneError, MemoryError):
        raise
    except Exception as error:
        reason = printable((str(error).strip().splitlines() or [""])[0])[:200]
        raise KdpruneError(
            f"{path}: is no network that can be run ({reason or type(error).__name__}); name one "
            "that `kdprune export` wrote, or export again"
        ) from None


def read_compressed(path: Path) -> Run:
    """Rebuild the network from the compressed file alone."""
    model, _ = coded.load(path)
    return model


WRITERS = {"safetensors": write_safetensors, "torch": write_torch, "onnx": write_onnx}


def read_foreign(path: Path) -> Run:
    """Load with torch.export a program of anybody's, once it is known to be data alone."""
    with _readable(path):
        programs.check(path)
    return read_torch(path)


READERS = {"safetensors": read_safetensors, "torch": read_torch, "onnx": read_onnx}
READERS |= {COMPRESSED: read_compressed}


def _entries(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what whoever runs a network needs: shape, colour, values, mean, std and classes."""
    return {"format": "kdprune", **metadata["input"]}


def _described(metadata: Mapping[str, Any]) -> str:
    return json.dumps(_entries(metadata), sort_keys=True)


def _example(metadata: Mapping[str, Any]) -> torch.Tensor:
    return torch.zeros(2, *metadata["input"]["shape"])  # a batch of one would be taken as fixed


def _any_batch() -> dict[int, Any]:
    return {0: torch.export.Dim("batch")}

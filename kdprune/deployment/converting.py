"""What every conversion of a network shares: the packages it needs, its names, its silence."""

import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError

ONNX = ("onnx", "onnxscript", "onnxruntime")
NEEDS: dict[str, tuple[str, ...]] = {"onnx": ONNX}
NEEDS["openvino"] = (*ONNX, "openvino")  # it reads the file of --format onnx
INPUT, OUTPUT = "images", "logits"

Run = Callable[[Any], Any]  # float32 images [N, 3, H, W] to logits [N, classes], of numpy


def missing(name: str) -> list[str]:
    """Return the packages that a form or a runtime needs and that are not installed."""
    return [one for one in NEEDS.get(name, ()) if importlib.util.find_spec(one) is None]


def onnx_runtime(path: Path, *, threads: int = 0) -> Run:
    """Open an ONNX file in ONNX Runtime on the CPU; of 0 `threads`, it takes all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run([OUTPUT], {INPUT: images})[0]


def openvino(path: Path, *, threads: int = 0, **properties: Any) -> Run:
    """Open an ONNX file in OpenVINO on the CPU; of 0 `threads`, it takes all cores.

    It computes in float32, and answers as ONNX Runtime does. Its threads may move between cores:
    held to one, as is its default, they wait for whatever else runs there. `properties` are further
    ones of its CPU plugin.
    """
    import openvino as library

    core = library.Core()
    # Its default is bfloat16, or float16, where the processor computes in those (AVX512_BF16, AMX):
    # 8 or 11 bits of 24. Of the two teachers of the default study, in PyTorch's bfloat16, logits
    # are off by 1 % of the largest, a hundred times what an export may differ by, and 3 and 10 of
    # 1,000 test images get another first class (float16: 0.1 %; 0 and 1). The accuracy that the
    # study tells would be that of another network than the one that runs.
    held = {"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    held |= {"INFERENCE_NUM_THREADS": threads}
    network = core.compile_model(core.read_model(path), "CPU", {**held, **properties})
    return lambda images: network(images)[OUTPUT]


@contextmanager
def quiet(form: str) -> Iterator[None]:
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

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

    It computes in float32. Left to itself OpenVINO takes bfloat16 or float16 where the processor
    multiplies matrices of those (Intel's AMX): several times as fast, but with 8 or 11 bits of each
    number in place of 24, so that logits differ in their third digit, and some first classes with
    them. An accuracy that was read off another runtime would not be that of what runs then. Its
    thread may move between cores: held to one, it waits for whatever else runs there. `properties`
    are further ones of the CPU plugin.
    """
    import openvino as library

    core = library.Core()
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

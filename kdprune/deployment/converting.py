"""What every conversion of a network shares: the packages it needs, its names, its silence."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError

NEEDS = {"onnx": ("onnx", "onnxscript", "onnxruntime")}
INPUT, OUTPUT = "images", "logits"


def missing(name: str) -> list[str]:
    """Return the packages that a form needs and that are not installed."""
    return [one for one in NEEDS.get(name, ()) if importlib.util.find_spec(one) is None]


def session(path: Path, *, threads: int = 0) -> Any:
    """Return a session of ONNX Runtime on the CPU; of 0 `threads`, it takes all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


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

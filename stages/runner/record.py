"""What made a result, and how long it took: beside the results, for it must not change them.

.run/log/STAGE-KEY.json lists a stage's last runs, the newest at the end. DVC and git ignore it.
"""

import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdprune import versions
from kdprune.records import read_json, write_json
from stages.runner.stages import TRAININGS

FOLDER = Path(".run/log")
KEPT = 20  # runs in a file


@contextmanager
def recorded(stage: str, key: str) -> Iterator[None]:
    """Note a stage's run when it begins, so that a killed one shows, and again when it ends.

    `ended` says so until the end, then "ok" or the error. A record that cannot be written is
    told of in one line; it stops no stage.
    """
    path = FOLDER / (f"{stage}-{key}.json" if key else f"{stage}.json")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    run: dict[str, Any] = {"started": now, "ended": "not yet, or killed"}
    run |= {"resumed": _resumes(stage, key), "versions": _versions(), "machine": _machine()}
    runs = [*_earlier(path), run][-KEPT:]
    _write(path, runs)
    start, worked = time.monotonic(), time.process_time()
    try:
        yield
        run["ended"] = "ok"
    except BaseException as error:
        run["ended"] = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        raise
    finally:
        run["seconds"] = round(time.monotonic() - start, 3)
        run["cpu_seconds"] = round(time.process_time() - worked, 3)  # others may share the machine
        try:
            run |= _computed()
            if run["ended"] == "ok" and stage in TRAININGS:
                run |= _trained(stage, key, run)
        except Exception as error:  # the stage's work is done: a record must not undo that
            print(f"kdprune: {path}: an incomplete record ({error})", file=sys.stderr)
        _write(path, runs)


def _versions() -> dict[str, str]:
    libraries = ("kdprune", *versions.COMPUTING, *versions.TABULATING)
    return {"python": platform.python_version(), **versions.installed(libraries)}


def _machine() -> dict[str, Any]:
    return {"system": platform.platform(), "cores": os.cpu_count()}


def _resumes(stage: str, key: str) -> bool:
    from kdprune.study import paths

    return any(paths.unfinished().glob(f"{stage}-{key}-{'?' * 16}.ckpt*"))


def _computed() -> dict[str, Any]:
    """Return the most memory that the stage held, in bytes, and where torch computed.

    A warm stage has what the server imported in it. In a stage that did not need to import torch,
    there is no device.
    """
    most = {"memory": _resident()}
    torch = sys.modules.get("torch")
    if torch is None or "kdprune.device" not in sys.modules:
        return most
    from kdprune import device

    place = device.choose()
    told = {**most, "device": place.type, "threads": torch.get_num_threads()}
    if place.type == "cuda":
        told |= {"gpu": torch.cuda.get_device_name(place), "cuda": torch.version.cuda}
        told["gpu_memory"] = torch.cuda.max_memory_allocated(place)
    return told


def _resident() -> int:
    """Return this process's largest resident set in bytes; 0 where the system does not tell."""
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _trained(stage: str, key: str, run: dict[str, Any]) -> dict[str, Any]:
    """Return precision, and training images per second of the whole stage if it ran in one go."""
    from kdprune.config.params import load
    from kdprune.study import checked, paths

    params = load()
    recipe = params.teach if stage == "teach" else params.distill.training
    told: dict[str, Any] = {"precision": recipe.precision}
    if not run["resumed"]:
        role = "teacher" if stage == "teach" else "student"
        steps = int(checked.read(paths.fitted(role, key) / "learning.csv").step.max())
        told["images_per_second"] = round(steps * recipe.batch_size / run["seconds"], 1)
    return told


def _earlier(path: Path) -> list[Any]:
    try:
        runs = read_json(path)
    except (OSError, ValueError):  # none, or damaged: a record is no reason to stop
        return []
    return [run for run in runs if _is_writable(run)] if isinstance(runs, list) else []


def _is_writable(run: Any) -> bool:
    """Say whether a run can be written again: not with a NaN, or half a character, in it."""
    try:
        json.dumps(run, indent=1, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _write(path: Path, runs: list[Any]) -> None:
    try:
        write_json(path, runs)
    except OSError as error:
        print(f"kdprune: {path}: no record kept ({error.strerror})", file=sys.stderr)

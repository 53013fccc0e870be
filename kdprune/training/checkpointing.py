"""Unfinished training, stored so that a killed process goes on to the same weights."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune.errors import KdpruneError
from kdprune.files import keep, kept

# What is raised of an intact file that holds other things
UNFIT: tuple[type[Exception], ...] = (RuntimeError, ValueError, LookupError, TypeError, EOFError)
UNFIT += (AttributeError, pickle.UnpicklingError)


def store(
    path: Path | None,
    *,
    task: nn.Module,
    optimiser: torch.optim.Optimizer,
    generators: dict[str, torch.Generator],
    rows: list[dict[str, float]],
) -> None:
    """Write all that the rest of a training depends on, whole or not at all."""
    if path is None:
        return
    state = {
        "task": task.state_dict(),
        "optimiser": optimiser.state_dict(),
        "generators": {name: item.get_state() for name, item in generators.items()},
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "rows": rows,
    }
    content = io.BytesIO()  # torch would tell of a full disk in its own words
    torch.save(state, content)
    keep(path, content.getbuffer())


def restore(
    path: Path | None,
    *,
    task: nn.Module,
    optimiser: torch.optim.Optimizer,
    generators: dict[str, torch.Generator],
) -> list[dict[str, float]]:
    """Take up what `store` wrote, if it is there; return the rows so far, else none.

    A damaged file is told of and passed over, for the one before it or for none: losing an epoch
    beats a run that stands still. Tensors and plain values only are unpickled. Raises
    KdpruneError for an intact file that does not fit.
    """
    content = None if path is None else kept(path)
    if content is None:
        return []
    try:
        state: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
        task.load_state_dict(state["task"])
        optimiser.load_state_dict(state["optimiser"])
        for name, item in generators.items():
            item.set_state(state["generators"][name])
        torch.set_rng_state(state["cpu"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"])
        rows: list[dict[str, float]] = state["rows"]
    except UNFIT as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise KdpruneError(f"{path}: does not fit ({reason}); delete it to begin anew") from None
    return rows

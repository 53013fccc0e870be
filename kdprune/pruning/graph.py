"""Torch-Pruning's dependency graph of a network, traced within a time."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from kdprune.errors import KdpruneError

SECONDS = 120.0  # for tracing: DenseNet-201 takes eight on one core


class OutOfTimeError(Exception):
    """Tracing took longer than it may."""


def dependency_graph(model: nn.Module, input_size: int, seconds: float) -> Any:
    """Return the graph, of torch_pruning.DependencyGraph; the network is left as it was.

    Raises KdpruneError where Torch-Pruning cannot trace it, or not within `seconds`.
    """
    import torch_pruning  # 7 s where timm has not been imported: only channel pruning needs it

    training = model.training
    device = next(model.parameters()).device
    image = torch.zeros(1, 3, input_size, input_size, device=device)
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    for parameter in frozen:  # the graph is traced through autograd
        parameter.requires_grad_(True)
    graph = torch_pruning.DependencyGraph()
    model.eval()
    try:
        with torch.enable_grad(), _within(seconds):
            graph.build_dependency(model, example_inputs=[image], verbose=False)
    except torch.OutOfMemoryError:  # no fault of the network's
        raise
    except OutOfTimeError:
        raise KdpruneError(
            f"prune.method: tracing {type(model).__name__} for channel pruning did not end within "
            f"{seconds:g} s; use weight"
        ) from None
    except (AttributeError, IndexError, KeyError, RuntimeError, ValueError) as error:
        raise KdpruneError(
            f"prune.method: channel pruning cannot follow {type(model).__name__}'s structure "
            f"({type(error).__name__}: {(str(error).splitlines() or [''])[0]}); use weight"
        ) from None
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
        model.train(training)
    return graph


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError from the first call that is made after `seconds`, on any thread."""
    end, before = time.monotonic() + seconds, sys.getprofile()

    def watch(*_: object) -> None:
        if time.monotonic() > end:
            raise OutOfTimeError

    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)

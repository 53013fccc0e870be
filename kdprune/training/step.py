"""One optimisation step: eager on most devices, a captured CUDA graph where that is possible.

A slim network's step on a fast GPU is bound by the launching of its kernels; a graph launches all
of them at once. Everything else in training is the same on every device.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import nn

from kdprune.training.layers import set_rate

Step = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float], torch.Tensor]
WARM_UP = 3  # eager steps before the capture, as libraries choose algorithms in their first calls


class Task(Protocol):
    """What a training reads of an nn.Module that it trains; its methods are not told anew."""

    network: nn.Module  # what is evaluated
    capturable: bool  # whether one step may be recorded and replayed for every batch

    def __call__(
        self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor, /
    ) -> Mapping[str, torch.Tensor]:
        """[B, 3, H, W], [B], [B] -> {"loss": scalar, …}."""


def training_step(
    task: Task,
    optimiser: torch.optim.Optimizer,
    *,
    precision: str,
    device: torch.device,
) -> Step:
    """Return step(images, labels, indices, lr) -> loss, a scalar that stays on the device.

    `precision` "bf16" runs the forward pass under autocast. The loss is a value, without a graph.
    """

    def eager(
        images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor, rate: float
    ) -> torch.Tensor:
        set_rate(optimiser, rate)
        return forward_backward_step(images, labels, indices)

    def forward_backward_step(
        images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
    ) -> torch.Tensor:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss = task(images, labels, indices)["loss"]
        loss.backward()
        optimiser.step()
        return loss.detach()

    if device.type != "cuda" or not task.capturable:
        return eager
    for group in optimiser.param_groups:
        group["lr"] = torch.tensor(float(group["lr"]), device=device)
    return _captured(eager, forward_backward_step, optimiser)


def _captured(eager: Step, inner: Callable, optimiser: torch.optim.Optimizer) -> Step:
    """Run a few steps eagerly on a side stream, then capture the step once and replay it."""
    state: dict = {"calls": 0}

    def step(
        images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor, rate: float
    ) -> torch.Tensor:
        state["calls"] += 1
        if state["calls"] <= WARM_UP:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                loss = eager(images, labels, indices, rate)
            torch.cuda.current_stream().wait_stream(side)
            return loss
        if "graph" not in state:
            state["inputs"] = [images.clone(), labels.clone(), indices.clone()]
            state["graph"] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(state["graph"]):
                state["loss"] = inner(*state["inputs"])
        for held, given in zip(state["inputs"], (images, labels, indices), strict=True):
            held.copy_(given)
        set_rate(optimiser, rate)
        state["graph"].replay()
        return state["loss"].clone()

    return step

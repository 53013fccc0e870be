"""How a sweep's networks are tuned: what the parameters say of one method's name."""

from collections.abc import Mapping
from typing import Any

from kdprune.config.grid import LABELS
from kdprune.config.params import Params
from kdprune.config.replicates import training
from kdprune.methods import parts
from kdprune.training.recipe import Recipe


def objective(params: Params, method: str) -> str:
    """Return what a sweep's tuning learns by: labels, or a distillation method."""
    named, own = parts(method)[1], params.prune.finetune.objectives
    return named or (own[0] if len(own) == 1 else LABELS)


def told(params: Params, item: Mapping[str, str], method: str) -> dict[str, Any]:
    """Return the arguments of `kdprune.sweeps.finetune.FineTune` for a sweep of network `item`."""
    section, learned_by = params.prune.finetune, objective(params, method)
    arguments = section.model_dump(exclude={"objective", "from", "schedule"})
    arguments["objective"] = learned_by
    if learned_by != LABELS:
        arguments["settings"] = params.distill.hyperparameters[learned_by]
    if section.schedule == "rewind":
        arguments["original"] = Recipe(**training(params, item))
    return arguments


def by_teacher(params: Params, role: str, method: str) -> bool:
    """Whether a student's tuning learns from its teacher, not from the network before pruning."""
    taught = getattr(params.prune.finetune, "from") == "teacher" and role == "student"
    return taught and objective(params, method) != LABELS

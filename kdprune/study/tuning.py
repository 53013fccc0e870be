"""How a sweep's networks are tuned: what the parameters say of one method's name."""

from collections.abc import Mapping
from typing import Any

from kdprune.config.grid import LABELS
from kdprune.config.params import Params
from kdprune.config.replicates import training
from kdprune.training.recipe import Recipe


def told(params: Params, item: Mapping[str, str], method: str) -> dict[str, Any]:
    """Return the arguments of `kdprune.sweeps.finetune.FineTune` for a sweep of network `item`."""
    section = params.prune.finetune
    learned_by = section.objective_of(method)
    arguments = section.model_dump(exclude={"objective", "from", "schedule", "epochs_of"})
    arguments["epochs"] = section.epochs_for(method)
    arguments["objective"] = learned_by
    if learned_by != LABELS:
        arguments["settings"] = params.distill.hyperparameters[learned_by]
    if section.schedule == "rewind":
        arguments["original"] = Recipe(**training(params, item))
    return arguments


def by_teacher(params: Params, role: str, method: str) -> bool:
    """Whether a student's tuning learns from its teacher, not from the network before pruning."""
    section = params.prune.finetune
    taught = getattr(section, "from") == "teacher" and role == "student"
    return taught and section.objective_of(method) != LABELS

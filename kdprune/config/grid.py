"""The study's grid: which trainings and sweeps follow from data sets, pairs and methods.

Pure Python, no dependencies: Hydra's resolver, the parameter model and the tests all call it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kdprune.errors import KdpruneError

PRUNING_ALIASES = {"both": ("weight", "channel")}
EMBEDDED = "data/embedded"  # the images that come with the repository


def expand(
    *,
    datasets: Sequence[str],
    pairs: Sequence[str],
    distill: str | Sequence[str],
    prune: str | Sequence[str],
    roles: Sequence[str],
    folders: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, dict[str, dict[str, str]]]:
    """Expand the study into instances, keyed by readable names.

    `pairs` are written "teacher/student"; `distill` and `prune` are one method name or several,
    "both" standing for weight and channel; `folders` maps a data set of one's own to its "path".
    Returns `teachers`, `students`, `sweeps`, `networks` (those that are swept) and `datasets`:
    mappings from instance name to its fields, in the order given. A teacher of several pairs
    appears once. Raises KdpruneError where a pair is not written as two names.
    """
    split = [split_pair(pair) for pair in pairs]
    own = folders or {}
    # the files whose change makes a data set stale: one's own, else those of the repository
    images = {
        dataset: {"images": own[dataset]["path"] if dataset in own else EMBEDDED}
        for dataset in datasets
    }
    teachers = {
        f"{dataset}-{teacher}": {"dataset": dataset, "teacher": teacher}
        for dataset in datasets
        for teacher, _ in split
    }
    students = {
        f"{dataset}-{teacher}-{student}-{method}": {
            "dataset": dataset,
            "teacher": teacher,
            "student": student,
            "distill": method,
        }
        for dataset in datasets
        for teacher, student in split
        for method in names(distill)
    }
    swept = []
    if "teacher" in roles:
        swept += [("teacher", key, item) for key, item in teachers.items()]
    if "student" in roles:
        swept += [("student", key, item) for key, item in students.items()]
    networks = {
        key: {
            "checkpoint": f"models/{role}s/{key}.safetensors",
            "trained": f"metrics/{'teach' if role == 'teacher' else 'distill'}/{key}.json",
        }
        for role, key, _ in swept
    }
    sweeps = {
        f"{key}-{method}": {
            "dataset": item["dataset"],
            "role": role,
            "teacher": item["teacher"],
            "student": item.get("student", ""),
            "distill": item.get("distill", ""),
            "method": method,
            "checkpoint": networks[key]["checkpoint"],
        }
        for role, key, item in swept
        for method in names(prune)
    }
    grid = {"teachers": teachers, "students": students, "sweeps": sweeps}
    return {**grid, "networks": networks, "datasets": images}


def names(value: str | Iterable[str]) -> list[str]:
    """Return the methods that `value` names: one name or several; "both" is weight and channel."""
    given = [value] if isinstance(value, str) else list(value)
    expanded = [name for item in given for name in PRUNING_ALIASES.get(item, (item,))]
    return list(dict.fromkeys(expanded))


def split_pair(pair: str) -> tuple[str, str]:
    """Split "teacher/student". Raises KdpruneError on anything else."""
    parts = pair.split("/") if isinstance(pair, str) else []
    if len(parts) != 2 or not all(parts):
        raise KdpruneError(
            f"pairs: {pair!r} is not a pair; write teacher/student, for example resnet101/resnet50"
        )
    return parts[0], parts[1]

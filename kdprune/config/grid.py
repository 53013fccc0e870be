"""The study's grid: which trainings and sweeps follow from data sets, pairs and methods.

Pure Python, no libraries: Hydra's resolver, the parameter model and the tests all call it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kdprune.config.signatures import trains
from kdprune.errors import KdpruneError
from kdprune.records import REPLICATE, suffix, teacher

PRUNING_ALIASES = {"both": ("weight", "channel")}
ALONE = "none"  # in the place of a student: the teacher is pruned, and nothing is distilled
LABELS = "labels"  # the objective of tuning that is no distillation method
EMBEDDED = "data/embedded"  # the images that come with the repository
SPARSE = "models/sparse"  # what methods that train on their way left of each network


def expand(
    *,
    datasets: Sequence[str],
    pairs: Sequence[str],
    distill: str | Sequence[str],
    prune: str | Sequence[str],
    roles: Sequence[str],
    folders: Mapping[str, Mapping[str, Any]] | None = None,
    objective: str | Sequence[str] | None = LABELS,
    source: str | None = "self",
    only: Mapping[str, Sequence[str]] | None = None,
    replicates: Sequence[str] = (),
) -> dict[str, dict[str, dict[str, str]]]:
    """Expand the study into instances, keyed by readable names.

    `pairs` are written "teacher/student", or "teacher/none" for a teacher alone; `distill` and
    `prune` are one method name or several, "both" standing for weight and channel; `folders` maps
    a data set of one's own to its "path".
    `objective` and `source` are prune.finetune's objective and from; None for studies from before
    there was a choice. `only` has, by role, the methods that no other role is swept by.
    `replicates` names those of each pair, where there are several (see
    kdprune.config.replicates); each has instances of its own.
    Returns `teachers`, `students`, `sweeps`, `networks` (those that are swept), `trajectories`
    (those networks under each method that trains on its way) and `datasets`:
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
    each = [{REPLICATE: name} for name in replicates] or [{}]
    teachers = {
        f"{dataset}-{name}{suffix(one)}": {"dataset": dataset, "teacher": name, **one}
        for dataset in datasets
        for name, _ in split
        for one in each
    }
    students = {
        f"{dataset}-{name}-{student}-{method}{suffix(one)}": {
            "dataset": dataset,
            "teacher": name,
            "student": student,
            "distill": method,
            **one,
        }
        for dataset in datasets
        for name, student in split
        if student != ALONE
        for method in names(distill)
        for one in each
    }
    trained = {"teacher": teachers, "student": students}
    swept = [
        (role, key, item)
        for role, networks in trained.items()
        if role in roles
        for key, item in networks.items()
    ]
    methods = {role: _methods(role, prune, only or {}) for role in trained}
    sweeps = {
        f"{key}-{label}": {
            **_who(role, item),
            "method": label,
            "checkpoint": f"{SPARSE}/{key}-{method}" if trains(method) else _file(role, key),
            **tuning,
        }
        for role, key, item in swept
        for method in methods[role]
        for label, tuning in _tunings(method, role, key, item, objective, source)
    }
    trajectories = {
        f"{key}-{method}": {
            **_who(role, item),
            "checkpoint": _file(role, key),
            "pruning": method,
        }
        for role, key, item in swept
        for method in methods[role]
        if trains(method)
    }
    networks = {
        key: {
            "checkpoint": _file(role, key),
            "trained": f"metrics/{'teach' if role == 'teacher' else 'distill'}/{key}.json",
        }
        for role, key, _ in swept
    }
    grid = {"teachers": teachers, "students": students, "sweeps": sweeps}
    return {**grid, "networks": networks, "trajectories": trajectories, "datasets": images}


def _file(role: str, key: str) -> str:
    return f"models/{role}s/{key}.safetensors"


def _who(role: str, item: Mapping[str, str]) -> dict[str, str]:
    """Return what names a network in every table, from its entry as a teacher or student."""
    named = {"dataset": item["dataset"], "role": role, "teacher": item["teacher"]}
    named |= {"student": item.get("student", ""), "distill": item.get("distill", "")}
    return named | ({REPLICATE: item[REPLICATE]} if REPLICATE in item else {})


def _methods(role: str, prune: str | Sequence[str], only: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the methods that the networks of a role are swept by."""
    others = {name for one, given in only.items() if one != role for name in names(given)}
    return [name for name in names(prune) if name not in others]


def _tunings(
    method: str,
    role: str,
    key: str,
    item: Mapping[str, str],
    objective: str | Sequence[str] | None,
    source: str | None,
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what a sweep is called, and what DVC must know of its tuning, for each objective.

    These are the pruning's own name, the method's file, the network that is learned from, and the
    section of the recipe that the network was trained by.
    """
    if objective is None:
        yield method, {}
        return
    several = not isinstance(objective, str)
    taught = role == "student" and source == "teacher"
    learned_from = f"teachers/{teacher(item)}" if taught else f"{role}s/{key}"
    for one in [objective] if isinstance(objective, str) else objective:
        label = f"{method}-{one}" if several and one != LABELS else method
        yield (
            label,
            {
                "pruning": method,
                "tuning": "none" if one == LABELS else one,
                "tutor": f"models/{learned_from}.safetensors",
                "recipe": recipe(role, item),
            },
        )


def recipe(role: str, item: Mapping[str, str]) -> str:
    """Return the parameter that a network's training depends on: a section, or of several
    replicates its own copy of that, so that one more seed makes none of the others stale.
    """
    if REPLICATE in item:
        return f"trainings.recipes.{'teach' if role == 'teacher' else 'distill'}{suffix(item)}"
    return "teach" if role == "teacher" else "distill.training"


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

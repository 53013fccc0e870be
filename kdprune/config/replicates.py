"""Replicates: each pair trained several times over, by a list of seeds in teach.seed.

Replicate r of a student learns from replicate r of its teacher. A replicate is called by its
teacher's seed. One seed, be it alone or in a list, is a study as ever: no name says it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kdprune.config.grid import recipe
from kdprune.records import REPLICATE, suffix, teacher

Items = Mapping[str, Mapping[str, str]]
LISTS = {"teacher": "teach.seed", "student": "distill.training.seed"}


def listed(seed: int | Sequence[int]) -> list[int]:
    """Return a parameter's seeds as a list."""
    return [seed] if isinstance(seed, int) else list(seed)


def check_once(seeds: list[int]) -> list[int]:
    """Check that no seed is named twice. Raises ValueError."""
    if len(set(seeds)) != len(seeds):
        raise ValueError("names a seed twice; name each once")
    return seeds


def names(teach: int | Sequence[int]) -> list[str]:
    """Return what the replicates are called, by teach.seed; none where there is but one."""
    seeds = listed(teach)
    return [str(seed) for seed in seeds] if len(seeds) > 1 else []


def check(params: Any) -> None:
    """Check that teachers and students have as many seeds. Raises ValueError."""
    teachers, students = (len(listed(one.seed)) for one in (params.teach, params.distill.training))
    if teachers != students:
        raise ValueError(
            f"distill.training.seed: has {students} seed{'s' * (students > 1)} and teach.seed "
            f"{teachers}: each student learns from the teacher in its place; name as many in both"
        )


def seed(params: Any, item: Mapping[str, str]) -> int:
    """Return the seed that an instance of the grid is trained by, or the network that it is of."""
    section = params.distill.training if item.get("student") else params.teach
    place = 0
    if REPLICATE in item:
        place = listed(params.teach.seed).index(int(item[REPLICATE]))
    return listed(section.seed)[place]


def training(params: Any, item: Mapping[str, str]) -> dict[str, Any]:
    """Return how an instance of the grid is trained, or the network that it is of, and its seed."""
    section = params.distill.training if item.get("student") else params.teach
    return {**section.model_dump(), "seed": seed(params, item)}


def trainings(
    teachers: Items, students: Items, *, teach: Mapping[str, Any], distill: Mapping[str, Any]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what dvc.yaml goes through to train: `teachers` and `students`, by the grid's keys.

    Each has the parameter that its training depends on (`recipe`), a student whom it learns from
    (`tutor`). `teach` and `distill` are the sections teach and distill.training. Of several
    replicates, `recipes` has a copy of these for each, with its own seed, and `repeats` the
    instance that splits the variance; else it has none.
    """
    made: dict[str, dict[str, dict[str, Any]]] = {
        "teachers": {
            key: {**_part(item, "dataset", "teacher"), "recipe": recipe("teacher", item)}
            for key, item in teachers.items()
        },
        "students": {
            key: {
                **_part(item, "dataset", "student", "distill"),
                "tutor": f"models/teachers/{teacher(item)}.safetensors",
                "recipe": recipe("student", item),
            }
            for key, item in students.items()
        },
        "repeats": {},
    }
    if called := names(teach["seed"]):
        made["repeats"] = {"trainings": {"column": REPLICATE}}
        made["recipes"] = {
            f"{stage}{suffix({REPLICATE: name})}": {**section, "seed": own}
            for stage, section in (("teach", teach), ("distill", distill))
            for name, own in zip(called, listed(section["seed"]), strict=True)
        }
    return made


def _part(item: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: item[name] for name in names}

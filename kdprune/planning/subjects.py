"""Which networks a study trains and prunes, and how each is described and trained."""

from collections.abc import Mapping
from typing import Any

from kdprune.config.params import Params
from kdprune.planning.cost import Images

Subject = tuple[str, str, str]  # teacher, student, distillation method; a teacher alone has ""


def subject(item: Mapping[str, str]) -> Subject:
    """Return which network a grid's instance trains or prunes, whatever the data set."""
    return item["teacher"], item.get("student", ""), item.get("distill", "")


def counts_follow_from(
    params: Params, one: Subject, classes: int, images: Images
) -> dict[str, Any]:
    """Return what describes a network and its training to `calibration.task`, but for `images`."""
    teacher, student, method = one

    def described(name: str) -> dict[str, Any]:
        architecture = params.architectures[name]
        shared = {"classes": classes, "stem": params.model.stem, "size": images.side}
        return {"timm_name": architecture.timm, "kwargs": architecture.kwargs, **shared}

    return {
        "student": described(student or teacher),
        "teacher": described(teacher) if student else None,
        "method": method,
        "hyperparameters": params.distill.hyperparameters.get(method, {}),
    }


def recipe_of(params: Params, one: Subject) -> Any:
    """Return how it is trained: a student by its own recipe, also without distillation."""
    return params.distill.training if one[1] else params.teach


def told(one: Subject) -> str:
    """Name a subject in one word."""
    return "-".join(part for part in one if part)

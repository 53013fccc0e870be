"""What to change of a training that diverged."""

from typing import Any

from kdprune.training.recipe import Recipe

COLD, HEAVY = 0.05, 1e5  # temperatures below, and weights above, are no method's


def at_fault(recipe: Recipe) -> str:
    """Return the key of a recipe that made its steps too large: "weight_decay" or "lr".

    A step multiplies weights by 1 - lr x weight_decay, which grows them where that is above 2. Of
    the two factors, the larger is the one out of proportion.
    """
    decay, rate = recipe.weight_decay, recipe.lr
    return "weight_decay" if decay > rate and decay * rate > 1 else "lr"


def remedies(where: str, recipe: Recipe, weights: Any = None, method: str = "") -> list[str]:
    """Return what to change of the training whose recipe stands at `where`, likeliest alone.

    `weights`: of its method (kdprune.distillation.weighted.Weights), where it has any, which stand
    at `method`.
    """
    if (key := at_fault(recipe)) != "lr":
        return [f"lower {where}.{key}"]
    if weights is not None:
        if weights.kd and weights.temperature < COLD:
            return [f"raise {method}.temperature"]
        if heavy := [name for name in ("ce", "kd", "feature") if getattr(weights, name) > HEAVY]:
            return [f"lower {method}.{name}" for name in heavy]
    hints = [f"lower {where}.lr"]
    hints += [f"raise {where}.warmup"] * (recipe.schedule in ("cosine", "onecycle"))
    hints += [f"set {where}.precision: fp32"] * (recipe.precision == "bf16")
    return hints

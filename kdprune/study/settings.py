"""The parameters that stand in a report, in words."""

from typing import Any

from kdprune.config.params import Params
from kdprune.config.replicates import names


def settings(params: Params) -> dict[str, Any]:
    """Return the parameters that a reader of the report needs."""
    called = names(params.teach.seed)
    return {
        "profile": params.profile,
        "images": _images(params),
        "stem": params.model.stem,
        "breakpoint rule": params.breakpoints.rule,
        "tolerance (points)": params.breakpoints.tolerance,
        "fine-tuned": _tuned(params.prune.finetune),
        "seeds": params.prune.seeds,
        **({"training seeds": ", ".join(called)} if called else {}),
    }


def _tuned(told: Any) -> str:
    """Say what was tuned, and where it was not by labels at a constant rate, how."""
    scope, by = told.scope, " or ".join(told.objectives)
    if by != "labels":
        scope += f", by {by} from {getattr(told, 'from') or 'self'}"
    return scope + ", rewound" * (told.schedule == "rewind")


def _images(params: Params) -> str:
    """Say where the images come from: the source of the built-in data sets, and one's own."""
    own = [name for name in params.datasets if name in (params.folders or {})]
    told = [] if len(own) == len(params.datasets) else [str(params.data.source)]
    return ", ".join([*told, *(f"own folder {name}" for name in own)])

"""Whether the grid in params.yaml is the one that follows from the rest of it."""

from collections.abc import Mapping
from typing import Any

from kdprune.config import coding
from kdprune.config.grid import expand


def check(params: Any) -> None:
    """Check the grid of a `kdprune.config.schema.Params`. Raises ValueError."""
    tuned = params.prune.finetune
    wanted = expand(
        datasets=params.datasets,
        pairs=params.pairs,
        distill=params.distill.method,
        prune=params.prune.method,
        roles=params.prune.roles,
        folders={name: folder.model_dump() for name, folder in (params.folders or {}).items()},
        objective=tuned.objective,
        source=getattr(tuned, "from"),
        only=params.prune.only and params.prune.only.model_dump(),
    )
    named = coding.bits(params), wanted["trajectories"], coding.attributed(params)
    wanted |= coding.grid(wanted["sweeps"], *named)
    # a study may be older than the stages of these
    older = coding.grid({}, [], wanted["trajectories"])
    given = {"trajectories": {}, **older, **params.grid}
    given["collected"] = {**older["collected"], **given["collected"]}
    if given != wanted:
        raise ValueError(
            f"grid: {_difference(params.grid, wanted)}; it follows from datasets, pairs and "
            "methods, and is written by `dvc exp run` or `make params`: edit conf/ instead"
        )


def _difference(grid: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Say where the grid first differs from what it must be."""
    for stage in dict.fromkeys([*expected, *grid]):
        given, wanted = grid.get(stage, {}), expected.get(stage, {})
        for key in dict.fromkeys([*wanted, *given]):
            if key not in given:
                return f"{stage}.{key} is missing"
            if key not in wanted:
                return f"{stage}.{key} does not belong there"
            if given[key] != wanted[key]:
                return f"{stage}.{key} is not what it must be"
    return f"allowed are {', '.join(expected)}, not {', '.join(grid)}"

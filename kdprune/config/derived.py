"""What params.yaml holds that follows from its rest: the grid, and what dvc.yaml trains by."""

from collections.abc import Mapping
from typing import Any

from kdprune.config import coding, replicates
from kdprune.config.grid import expand


def check(params: Any) -> None:
    """Check that the `kdprune.config.schema.Params` hold what follows. Raises ValueError."""
    tuning = params.prune.finetune
    expected = expand(
        datasets=params.datasets,
        pairs=params.pairs,
        distill=params.distill.method,
        prune=params.prune.method,
        roles=params.prune.roles,
        folders={name: folder.model_dump() for name, folder in (params.folders or {}).items()},
        objective=tuning.objective,
        source=getattr(tuning, "from"),
        only=params.prune.only and params.prune.only.model_dump(),
        replicates=replicates.names(params.teach.seed),
    )
    older = coding.grid(expected, [])  # a study may be older than the stages of these
    expected |= coding.grid(expected, coding.bits(params), coding.attributed(params))
    given = {"trajectories": {}, **older, **params.grid}
    given["collected"] = {**older["collected"], **given["collected"]}
    if given != expected:
        raise _other("grid", params.grid, expected)
    trained = replicates.trainings(
        expected["teachers"],
        expected["students"],
        teach=params.teach.model_dump(),
        distill=params.distill.training.model_dump(),
    )
    if params.trainings not in (None, trained):  # None: a study from before there were any
        raise _other("trainings", params.trainings, trained)


def _other(section: str, given: Mapping[str, Any], expected: Mapping[str, Any]) -> ValueError:
    return ValueError(
        f"{section}: {_difference(given, expected)}; it follows from datasets, pairs, methods and "
        "seeds, and is written by `dvc exp run` or `make params`: edit conf/ instead"
    )


def _difference(given: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Say where what is given first differs from what it must be."""
    for stage in dict.fromkeys([*expected, *given]):
        held, wanted = given.get(stage, {}), expected.get(stage, {})
        for key in dict.fromkeys([*wanted, *held]):
            if key not in held:
                return f"{stage}.{key} is missing"
            if key not in wanted:
                return f"{stage}.{key} does not belong there"
            if held[key] != wanted[key]:
                return f"{stage}.{key} is not what it must be"
    return f"allowed are {', '.join(expected)}, not {', '.join(given)}"

"""Several studies cut down to what they share, so that a condition alone is what differs."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdprune.analysis.breakpoints import breakpoints
from kdprune.analysis.efficiency import UNIT
from kdprune.errors import KdpruneError
from kdprune.records import IDENTITY

POINT = [*IDENTITY, "level"]


def shared(sweeps: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the rows of each study's sweeps whose network and level all of the studies have.

    Raises KdpruneError where they have no network, or of none a level but 0, in common.
    """
    points = [set(table[POINT].itertuples(index=False, name=None)) for table in sweeps.values()]
    common = pd.DataFrame(sorted(set.intersection(*points)), columns=POINT)
    if not (common.level > 0).any():
        raise KdpruneError("compare --alike: the studies share no network at any level above 0")
    return {name: table.merge(common, on=POINT) for name, table in sweeps.items()}


def located(sweeps: pd.DataFrame, rule: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return a study's tables `breakpoints` and `efficiency`, computed from `sweeps` alone.

    `rule` holds the parameters that kdprune.analysis.breakpoints takes. Breakpoints have no
    intervals here, which take long. Efficiency is accuracy by all parameters that are deployed, of
    pruned networks only.
    """
    at = breakpoints(sweeps, **{**rule, "resamples": 1}).drop(columns=["level_low", "level_high"])
    scored = at.rename(columns={"method": "condition", "test_accuracy": "accuracy"})
    per = scored.accuracy / (scored.nonzero_params / UNIT)
    return {"breakpoints": at, "efficiency": scored.assign(efficiency=per)}

"""Performance Efficiency: accuracy per parameter, of networks before and after pruning."""

import numpy as np
import pandas as pd

from kdprune.analysis import check
from kdprune.errors import KdpruneError
from kdprune.records import identity

UNIT = 1e7  # parameters; the paper's unit
BEFORE = {"teacher": "teacher", "student": "distilled"}  # a network's condition without pruning


def efficiency(
    breakpoints: pd.DataFrame,
    checkpoints: pd.DataFrame,
    *,
    w1: float = 0.5,
    w2: float = 0.5,
    count: str = "composite",
) -> pd.DataFrame:
    """Return E = (w1 accuracy) / (w2 P) of every network in every condition.

    Conditions are "distilled" (students) or "teacher", as trained and before any fine-tuning, from
    `checkpoints`; and the pruning methods, at their breakpoints. Accuracy is top-1 on the test
    images in percent; P are parameters in units of 1e7: by `count` all that is deployed
    ("composite"), the encoder without projector and foreign classifier ("encoder"), or the same
    network with 1000 classes ("paper"), the latter two times the share that pruning left of all
    that is deployed (of the encoder, channel pruning leaves up to three points less). Columns
    `accuracy`, `accuracy_sd` (over seeds), `n_seeds`, `params`, `efficiency`, and `normalised`: the
    share of the data set's highest efficiency, one scale for all conditions (0 where all are 0).
    (Malihi & Heidemann, ASI 2024, 7(4), 56; how its figures 3 and 4 are normalised is not stated.)
    Raises KdpruneError for tables with gaps, a breakpoint of a network that is not among
    `checkpoints`, and networks without parameters; ValueError for an unknown count.
    """
    columns = {"composite": "params", "encoder": "encoder_params", "paper": "paper_params"}
    if count not in columns:
        raise ValueError(f"count {count!r} is unknown; allowed: {', '.join(columns)}")
    size = columns[count]
    named, numbers = identity(checkpoints), ["test_accuracy", *columns.values()]
    check(checkpoints, "checkpoints", keys=named, numbers=numbers)
    pruned = ["nonzero_params", "dense_params", "test_accuracy", "n_seeds"]
    check(breakpoints, "breakpoints", keys=[*named, "method"], numbers=pruned)
    before = checkpoints[named].assign(
        condition=checkpoints.role.map(BEFORE),
        accuracy=checkpoints.test_accuracy,
        accuracy_sd=None,
        n_seeds=1,
        params=checkpoints[size],
    )
    sizes = checkpoints[named].assign(dense=checkpoints[size])
    joined = breakpoints.merge(sizes, on=named, how="left", validate="many_to_one")
    if joined.dense.isna().any():
        lost = joined[joined.dense.isna()].iloc[0]
        name = "-".join(lost[key] for key in named if lost[key])
        raise KdpruneError(f"breakpoints: {name} is not among the checkpoints; run `dvc repro`")
    left = joined.nonzero_params / joined.dense_params
    after = joined[named].assign(
        condition=joined.method,
        accuracy=joined.test_accuracy,
        accuracy_sd=joined.test_sd,
        n_seeds=joined.n_seeds,
        params=joined.nonzero_params if count == "composite" else joined.dense * left,
    )
    parts = [part.astype({"accuracy_sd": "Float64"}) for part in (before, after) if len(part)]
    table = pd.concat(parts, ignore_index=True)
    if (table.params <= 0).any():
        raise KdpruneError(f"efficiency: a network has no parameters by efficiency.count = {count}")
    table["efficiency"] = (w1 * table.accuracy) / (w2 * table.params / UNIT)
    best = table.groupby("dataset").efficiency.transform("max")
    table["normalised"] = np.where(best > 0, table.efficiency / best.where(best > 0, 1.0), 0.0)
    return table

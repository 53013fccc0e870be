"""Each network of Table 3 in full: what is left of it, in what bytes, at which cost of training."""

from collections.abc import Iterator, Mapping

import pandas as pd

from kdprune.analysis.efficiency import BEFORE
from kdprune.analysis.sizes import FLOAT, FLOATS
from kdprune.records import IDENTITY
from kdprune.reporting.document.formats import condition
from kdprune.reporting.paper.beside import COMPRESSIONS

Wanted = Mapping[str, str]
AT = [*IDENTITY, "condition"]
SIZES = ["params", "nonzero_params", "macs"]
EPOCHS = ["training", "pruning", "tuning"]


def rows(
    scored: pd.DataFrame,
    breakpoints: pd.DataFrame,
    trained: pd.DataFrame,
    sizes: pd.DataFrame | None,
    spent: pd.DataFrame | None,
    codings: pd.DataFrame | None,
) -> pd.DataFrame:
    """Return a row per compression and teacher of one data set, in Table 3's order.

    A row is that compression's network with the fewest parameters (`beside.table_3`), as it is at
    its breakpoint. The teachers themselves stand first, and behind the paper's compressions those
    that this study has besides, of the teachers where they were swept. `sizes` as of
    `kdprune.analysis.sizes`; bytes of a network that was not pruned are from `codings` at level 0.
    Columns: compression, AT, level, params, nonzero_params, macs, accuracy, accuracy_sd, n_seeds,
    EPOCHS, total, note, and bytes in each count as "bytes COUNT".
    """
    made = []
    for name, wanted in _all(scored):
        match = scored[(scored[list(wanted)] == pd.Series(wanted)).all(axis=1)]
        least = match.loc[match.groupby("teacher", sort=False).params.idxmin()]
        made += [{"compression": name, **row} for row in least.to_dict("records")]
    table = pd.DataFrame(made, columns=["compression", *scored.columns]).drop(columns="params")
    table = table.merge(_states(breakpoints, trained), on=AT, how="left")
    for count, held in _bytes(trained, sizes, codings):
        table = table.merge(held.rename(columns={"bytes": f"bytes {count}"}), on=AT, how="left")
    if spent is not None:
        table = table.merge(spent[[*AT, *EPOCHS, "note"]], on=AT, how="left")
        table["total"] = table[EPOCHS].sum(axis=1)
    return table


def _all(scored: pd.DataFrame) -> Iterator[tuple[str, Wanted]]:
    """Yield what stands in a row's first column, and which networks the row is of."""
    teachers = scored[scored.role == "teacher"]
    yield "teacher", {"role": "teacher", "condition": BEFORE["teacher"]}
    yield from COMPRESSIONS.items()
    named = {wanted["condition"] for wanted in COMPRESSIONS.values() if "role" in wanted}
    known = {*named, *BEFORE.values()}
    for name in dict.fromkeys(teachers.condition):
        if name not in known:
            yield f"{condition(name)} of the teacher", {"role": "teacher", "condition": name}
    known |= {*teachers.condition, *(wanted["condition"] for wanted in COMPRESSIONS.values())}
    for name in dict.fromkeys(scored.condition):
        if name not in known:
            yield f"{condition(name)} of students", {"role": "student", "condition": name}


def _states(breakpoints: pd.DataFrame, trained: pd.DataFrame) -> pd.DataFrame:
    """Return the level and the sizes of each network in each condition."""
    before = trained.assign(condition=trained.role.map(BEFORE), level=0.0)
    before["nonzero_params"] = before.params
    after = breakpoints.rename(columns={"method": "condition"})
    return pd.concat([part[[*AT, "level", *SIZES]] for part in (before, after)], ignore_index=True)


def _bytes(
    trained: pd.DataFrame, sizes: pd.DataFrame | None, codings: pd.DataFrame | None
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each count of bytes with the networks that it is known of."""
    if sizes is None:
        return
    before = trained.assign(condition=trained.role.map(BEFORE))
    plain = before.assign(count=FLOATS, bytes=FLOAT * before.params)
    parts = [sizes.rename(columns={"method": "condition"}), plain]
    if codings is not None and len(codings):
        coded = codings[(codings.level == 0) & (codings.coding != FLOATS)]
        first = coded.drop_duplicates([*IDENTITY, "coding"])
        whole = before[AT].merge(first[[*IDENTITY, "coding", "bytes"]], on=IDENTITY)
        parts.append(whole.rename(columns={"coding": "count"}))
    every = pd.concat([part[[*AT, "count", "bytes"]] for part in parts], ignore_index=True)
    for count in dict.fromkeys(every["count"]):
        yield count, every[every["count"] == count].drop(columns="count")

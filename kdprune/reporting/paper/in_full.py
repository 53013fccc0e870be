"""The table of Table 3's networks in full."""

import pandas as pd

from kdprune.reporting.document.blocks import Format, Table, table
from kdprune.reporting.document.formats import (
    counted,
    dataset,
    distiller,
    fixed,
    network,
    size,
    whole,
)
from kdprune.reporting.paper import compressions

accuracy = fixed(2)
kilobytes = fixed(1)
STATE: list[tuple[str, str, Format | None]] = [
    ("compression", "Compression", None),
    ("network", "Network", None),
    ("by", "Distilled by", None),
    ("level", "Level", fixed(2, least=1)),
    ("params", "Parameters stored", size),
    ("nonzero_params", "not zero", size),
]
REACHED: list[tuple[str, str, Format | None]] = [
    ("macs", "MACs", size),
    ("accuracy", "Test acc. %", accuracy),
    ("accuracy_sd", "± over seeds", accuracy),
    ("n_seeds", "n seeds", whole),
]
EPOCHS: list[tuple[str, str, Format | None]] = [
    ("training", "Epochs trained", fixed(1)),
    ("pruning", "pruned on the way", fixed(1)),
    ("tuning", "tuned", fixed(1)),
    ("total", "in all", fixed(1)),
    ("note", "Told by the method", None),
]
NOTE = (
    "Each row is the network with the fewest parameters of its teacher, at its breakpoint. Bytes "
    "in float32 count parameters alone, and a bit for each weight of a masked tensor. Bytes of "
    "codings are those of real files; the head of a network that was not pruned was tuned, too. "
    "An epoch is a forward and a backward pass of the network itself. A teacher's forward pass "
    "counts a third of one. The teacher's own training is not counted, nor is evaluation. Where "
    "levels follow from one another, pruning counts the epochs of all levels up to this one. {}. "
    "Deviations are over seeds of the tuning."
)


def networks(part: pd.DataFrame, name: str, **tables: pd.DataFrame | None) -> Table:
    """Table 3's networks on one data set in full: sizes, accuracy, and what they cost."""
    frame = compressions.rows(part, **tables)
    frame = frame.assign(network=frame.apply(network, axis=1), by=frame.distill.map(distiller))
    counts = [item for item in frame if item.startswith("bytes ")]
    frame[counts] /= 1000
    labels = {item: f"kB, {stored(item.removeprefix('bytes '))}" for item in counts}
    sizes = [(item, labels[item], kilobytes) for item in counts]
    known = [item for item in (*REACHED, *EPOCHS) if item[0] in frame]
    columns = [*STATE, *sizes, *known]
    caption = f"The networks of Table 3, {dataset(name)} (n = {counted(len(frame), 'network')})"
    return table(frame, columns, caption)


def note(several: bool) -> str:
    """Say how to read the table, where each pair was trained several times, or once."""
    return NOTE.format(
        "Each training of a pair is a network of its own"
        if several
        else "Each network was trained once"
    )


def stored(count: str) -> str:
    """Return how the numbers of a count of bytes are stored, in a word or two."""
    return f"{count.removeprefix('shared')} bits" if count.startswith("shared") else count

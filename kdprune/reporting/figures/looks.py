"""One colour, one marker and one dash for each condition, the same in every figure.

Colour alone never tells two conditions apart: the marker does on points, the dash on lines. The
colours are those of Okabe & Ito where they reach a contrast of 3 to 1 on white, else darkened; each
has a lighter twin for dark pages (kdprune.reporting.figures.style).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kdprune.analysis.efficiency import BEFORE
from kdprune.reporting.document.formats import condition

Dash = str | tuple[int, tuple[float, ...]]

# The order of the known methods keeps a colour the same from one study to the next
KNOWN = ("weight", "channel", "global_weight", "taylor", "random", "random_channel", "lamp")
COLOURS = (
    *("#0072b2", "#d55e00", "#00805b", "#a03d83", "#7a6a00", "#b3243f", "#4a4fb8"),
    *("#7b4a1e", "#00778a"),
)
MARKERS = ("o", "D", "^", "s", "v", "P", "X", "p", "h", "<", ">", "d")
DASHES: tuple[Dash, ...] = (
    "-",
    (0, (5, 2)),
    (0, (1.5, 1.5)),
    (0, (7, 2, 1.5, 2)),
    (0, (3, 1.5, 1, 1.5, 1, 1.5)),
)
UNPRUNED = "#6a7078"


@dataclass(frozen=True)
class Look:
    """How one condition is drawn, and what it is called."""

    colour: str
    marker: str
    dash: Dash
    name: str


def looks(conditions: Iterable[str]) -> dict[str, Look]:
    """Return a look for each of `conditions`, pruning methods and the unpruned ones.

    A known method has its place in the palette, whatever else there is; others follow by name.
    """
    present = set(conditions)
    pruned = [name for name in KNOWN if name in present]
    others = sorted(present - set(KNOWN) - set(BEFORE.values()))
    taken = {KNOWN.index(name) for name in pruned}
    free = [place for place in range(len(KNOWN) + len(others)) if place not in taken]
    places = {name: KNOWN.index(name) for name in pruned} | dict(zip(others, free, strict=False))
    drawn = {name: _look(name, place) for name, place in sorted(places.items(), key=_place)}
    plain = [name for name in BEFORE.values() if name in present]
    return drawn | {name: Look(UNPRUNED, "|", (0, (1, 2)), "unpruned") for name in plain}


def _place(item: tuple[str, int]) -> int:
    return item[1]


def _look(name: str, place: int) -> Look:
    return Look(
        COLOURS[place % len(COLOURS)],
        MARKERS[place % len(MARKERS)],
        DASHES[place % len(DASHES)],
        condition(name),
    )

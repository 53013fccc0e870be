"""What a report is made of, before it is Markdown or HTML: sections of text, tables and figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from kdprune.reporting.document.formats import MISSING, is_missing

Format = Callable[[Any], str]


@dataclass(frozen=True)
class Text:
    """A paragraph; `lead` is its first sentence, set in bold."""

    text: str
    lead: str = ""


@dataclass(frozen=True)
class Bullets:
    """An unordered list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Cell:
    """One entry of a table: what is read, and what is sorted by (None: missing, always last)."""

    text: str
    value: float | str | None


@dataclass(frozen=True)
class Table:
    """A table: `columns` are pairs of label and whether it holds numbers; `kinds` name rows.

    One that is not `shown` stands behind its caption.
    """

    caption: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]]
    kinds: Sequence[str]
    shown: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure's files, SVG or PNG: as a whole, for narrow screens, and in parts with a title."""

    path: Path
    narrow: Path | None = None
    parts: Sequence[tuple[str, "Picture"]] = ()


@dataclass(frozen=True)
class Figure:
    """A picture with its caption; `alt` states the finding to who can't see it."""

    path: Path
    title: str
    caption: str
    alt: str = ""
    narrow: Path | None = None
    parts: Sequence[tuple[str, Picture]] = ()


@dataclass(frozen=True)
class Link:
    """A paragraph that ends in a link to another document of the same folder.

    `document` is its name without suffix: Markdown leads to Markdown, HTML to HTML.
    """

    text: str
    label: str
    document: str


@dataclass(frozen=True)
class Chart:
    """A chart that answers to the reader, as a Vega-Lite specification; HTML alone can draw it."""

    title: str
    caption: str
    alt: str
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Links:
    """A line of links to files, by name; their addresses are relative to the document."""

    text: str
    links: Mapping[str, str]


@dataclass(frozen=True)
class Stat:
    """A figure in large type: the value, what it is, and what that means in plain words."""

    value: str
    label: str
    meaning: str


@dataclass(frozen=True)
class Fold:
    """What stands behind a line that opens it."""

    title: str
    blocks: Sequence["Block"]


@dataclass(frozen=True)
class Hero:
    """A report's first screen: sentences, a figure beside them, and groups of stats by title."""

    sentences: Sequence[str]
    figure: Figure | None
    stats: Sequence[tuple[str, Sequence[Stat]]]
    limits: str
    fold: Fold


Block = Text | Bullets | Table | Figure | Chart | Link | Links | Fold | Hero


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block] = field(default_factory=list)


def table(
    frame: pd.DataFrame,
    columns: Sequence[tuple[str, str, Format | None]],
    caption: str,
    *,
    signed: Sequence[bool] | None = None,
    kinds: Sequence[str] | None = None,
) -> Table:
    """Make a table of a data frame.

    `columns` are (name in the frame, label, format), the format None for text. In rows where
    `signed` holds, numbers above zero get a plus sign. `kinds` marks rows, for their looks.
    """
    signed = [False] * len(frame) if signed is None else list(signed)
    rows = [
        [_cell(row[name], format_, plus) for name, _, format_ in columns]
        for row, plus in zip(frame.to_dict("records"), signed, strict=True)
    ]
    labels = [(label, format_ is not None) for _, label, format_ in columns]
    return Table(caption, labels, rows, [""] * len(rows) if kinds is None else list(kinds))


def _cell(value: Any, format_: Format | None, plus: bool) -> Cell:
    if format_ is None:  # a network without a student, say, has an empty name: nothing is missing
        return Cell("", None) if is_missing(value) else Cell(str(value), str(value))
    if is_missing(value):
        return Cell(MISSING, None)
    if isinstance(value, str):  # a reason in a column of numbers
        return Cell(value, None)
    text = format_(value)
    zero = not any(digit in text for digit in "123456789")
    return Cell(f"+{text}" if plus and value > 0 and not zero else text, float(value))

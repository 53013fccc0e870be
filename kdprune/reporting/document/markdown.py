"""Sections as Markdown that GitHub renders, with tables that read well as plain text too."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from kdprune.reporting.document.blocks import (
    Block,
    Bullets,
    Chart,
    Figure,
    Fold,
    Hero,
    Link,
    Links,
    Section,
    Table,
    Text,
)

SPECIAL = re.compile(r"([\\`*<>|\[\]~$]|(?<!\w)_|_(?!\w))")


def render(title: str, sections: Sequence[Section], folder: Path) -> str:
    """Return the document; figures are linked relative to `folder`."""
    parts = [f"# {escape(title)}"]
    for section in sections:
        parts.append(f"## {escape(section.title)}")
        parts += [_block(block, folder) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Escape what Markdown would read as markup; an underscore within a word is none."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _block(block: Block, folder: Path) -> str:
    match block:
        case Text():
            lead = f"**{escape(block.lead)}** " if block.lead else ""
            return lead + escape(block.text)
        case Bullets():
            return "\n".join(f"- {escape(item)}" for item in block.items)
        case Figure():
            link = quote(Path(os.path.relpath(block.path, folder)).as_posix())
            alt = escape(block.alt or block.title)
            return f"![{alt}]({link})\n\n*{escape(block.title)}.* " + escape(block.caption)
        case Chart():
            return f"*{escape(block.title)}.* {escape(block.alt)} Drawn in the HTML report."
        case Fold():
            return "\n\n".join(
                [f"**{escape(block.title)}**", *(_block(item, folder) for item in block.blocks)]
            )
        case Hero():
            return _hero(block, folder)
        case Link():
            target = f"{quote(block.document)}.md"
            return f"{escape(block.text)} [{escape(block.label)}]({target})."
        case Links():
            links = [f"[{escape(name)}]({quote(path)})" for name, path in block.links.items()]
            return f"{escape(block.text)}: {', '.join(links)}."
        case Table():
            return _table(block)


def _hero(hero: Hero, folder: Path) -> str:
    parts = [f"**{escape(sentence)}**" for sentence in hero.sentences]
    parts += [_block(hero.figure, folder)] if hero.figure else []
    for title, stats in hero.stats:
        lines = [
            f"- **{escape(stat.value)}**, {escape(stat.label)}. {escape(stat.meaning)}"
            for stat in stats
        ]
        parts += [f"*{escape(title)}*"] if len(hero.stats) > 1 else []
        parts.append("\n".join(lines))
    parts += [escape(hero.limits)] if hero.limits else []
    return "\n\n".join([*parts, _block(hero.fold, folder)])


def _table(table: Table) -> str:
    cells = [[escape(label) for label, _ in table.columns]]
    cells += [[escape(cell.text) for cell in row] for row in table.rows]
    widths = [max(3, *(len(row[at]) for row in cells)) for at in range(len(table.columns))]
    numeric = [number for _, number in table.columns]
    lines = [_line(row, widths, numeric) for row in cells]
    rule = [
        "-" * (width - 1) + (":" if number else "-")
        for width, number in zip(widths, numeric, strict=True)
    ]
    lines.insert(1, f"| {' | '.join(rule)} |")
    return f"*{escape(table.caption)}.*\n\n" + "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if number else cell.ljust(width)
        for cell, width, number in zip(row, widths, numeric, strict=True)
    ]
    return f"| {' | '.join(padded)} |"

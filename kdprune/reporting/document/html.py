"""Sections as one HTML file that needs nothing else: style, script and figures are in it."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kdprune.reporting.document.blocks import Block, Hero, Section

HERE = Path(__file__).parent
PLAIN = (
    "=:/;()'*!.-_~@{}[]+$|"  # need no escape in a data URI, nor in a srcset, which ends at spaces
)
KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


def render(title: str, sections: Sequence[Section], footer: Sequence[Block] = ()) -> str:
    """Return the document; every text is escaped, figures are embedded as data.

    A first section that holds a Hero is the first screen, and its title the page's. Raises KeyError
    for a figure that is neither SVG nor PNG.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    kind = {"kind": lambda block: type(block).__name__}
    environment.filters |= kind | {"slug": slug, "embedded": embedded, "held": held}
    return environment.get_template("report.html.j2").render(
        title=title,
        sections=sections,
        opens=bool(sections) and any(isinstance(item, Hero) for item in sections[0].blocks),
        footer=footer,
        style=_own("style.css"),
        script=_own("sort.js"),
    )


def slug(text: str) -> str:
    """Return an identifier for a heading: lower-case words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def held(text: str) -> str:
    """Keep "n = 3" and "95 %" on one line."""
    return re.sub(r" (?=[%=≤])|(?<=[=≤]) ", "\u00a0", text)


def embedded(path: Path) -> str:
    """Return a picture as a data URI. An <img> keeps the identifiers of several SVGs apart."""
    kind = KINDS[path.suffix.lower()]
    if kind == KINDS[".svg"]:  # as text it is a third smaller
        return f"data:{kind},{quote(_packed(path), safe=PLAIN)}"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _packed(path: Path) -> str:
    """Return an SVG without its prolog, and with quotes that need no escape."""
    text = path.read_text(encoding="utf-8").partition("?>")[2] or path.read_text(encoding="utf-8")
    return text.strip() if "'" in text else text.strip().replace('"', "'")


def _own(name: str) -> Markup:
    return Markup((HERE / name).read_text(encoding="utf-8"))  # ours, not input

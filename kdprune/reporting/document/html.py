"""Sections as one HTML file that needs nothing else: style, script and figures are in it."""

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kdprune.reporting.document.blocks import Block, Chart, Hero, Section

HERE = Path(__file__).parent
# What needs no escape in a data URI, nor in a srcset, which ends at a space
PLAIN = ",=:/;()'*!.-_~@{}[]+$|"
KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


def render(
    title: str, sections: Sequence[Section], footer: Sequence[Block] = (), library: str = ""
) -> str:
    """Return the document; every text is escaped, figures are embedded as data.

    A first section that holds a Hero is the first screen, and its title the page's. `library`
    are the script elements of Vega-Lite; without them, no section with a Chart is there. Raises
    KeyError for a figure that is neither SVG nor PNG.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    sections = [item for item in sections if library or not _charts(item)]
    kind = {"kind": lambda block: type(block).__name__}
    environment.filters |= kind | {"slug": slug, "embedded": embedded, "held": held, "json": _json}
    return environment.get_template("report.html.j2").render(
        title=title,
        sections=sections,
        opens=bool(sections) and any(isinstance(item, Hero) for item in sections[0].blocks),
        footer=footer,
        style=_own("style.css"),
        script=_own("sort.js"),
        library=Markup(library),  # ours, not input
        explore=_own("explore.js"),
    )


def slug(text: str) -> str:
    """Return an identifier for a heading: lower-case words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def held(text: str) -> str:
    """Keep "n = 3" and "95 %" on one line."""
    return re.sub(r" (?=[%=≤])|(?<=[=≤]) ", "\u00a0", text)


def embedded(path: Path) -> Markup:
    """Return a picture as a data URI. An <img> keeps the identifiers of several SVGs apart.

    It has no character that must be escaped between double quotes.
    """
    kind = KINDS[path.suffix.lower()]
    if kind == KINDS[".svg"]:  # as text it is a third smaller
        return Markup(f"data:{kind},{quote(_packed(path), safe=PLAIN)}")
    return Markup(f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}")


def _packed(path: Path) -> str:
    """Return an SVG without its prolog, and with quotes that need no escape."""
    text = path.read_text(encoding="utf-8").partition("?>")[2] or path.read_text(encoding="utf-8")
    return text.strip() if "'" in text else text.strip().replace('"', "'")


def _charts(section: Section) -> bool:
    return any(isinstance(block, Chart) for block in section.blocks)


def _json(value: Any) -> Markup:
    """Return JSON that can stand within a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def libraries(page: Path) -> str:
    """Return the script elements of Vega, Vega-Lite and Vega-Embed, with licences, out of a page.

    The page is .dvc/plots_page.html, which conf/plots_page.py writes; "" where it is not there.
    """
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    return "\n".join(re.findall(r"<script>\n/\*! vega.*?</script>", text, re.DOTALL))


def _own(name: str) -> Markup:
    return Markup((HERE / name).read_text(encoding="utf-8"))  # ours, not input

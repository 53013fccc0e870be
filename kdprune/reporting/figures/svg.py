"""Makes matplotlib's SVG small, and lets it follow light and dark pages.

What goes is what draws nothing: metadata, comments, groups, names that nobody refers to, digits
beyond a tenth of a point. Styles become classes, each written once, so that a dark page can have
its own colours for them.
"""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
HREF = f"{{{XLINK}}}href"
MEASURES = ("d", "x", "y", "transform")
PAPER = "#fefefe"
HALO = "halo"  # the name of words that stand on lines: these end a little before the letters
AROUND = f"paint-order:stroke;stroke:{PAPER};stroke-width:3;stroke-linejoin:round"
FONTS = "system-ui,-apple-system,Segoe UI,Roboto,Helvetica Neue,Arial,sans-serif"


def compact(svg: str, dark: Mapping[str, str]) -> str:
    """Return the same picture in a third of the bytes; `dark` maps colours to a dark page's."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(svg)
    for child in root.findall(f"{{{SVG}}}metadata"):
        root.remove(child)
    wanted = {element.get(HREF, "").removeprefix("#") for element in root.iter()}
    classes: dict[str, str] = {}
    for element in root.iter():
        _tidy(element, wanted, classes)
    _flatten(root)
    sheet = ElementTree.Element(f"{{{SVG}}}style")
    sheet.text = _sheet(classes, dark)
    root.insert(0, sheet)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        + ElementTree.tostring(root, "unicode").replace(" />", "/>")
        + "\n"
    )


def _tidy(element: ElementTree.Element, wanted: set[str], classes: dict[str, str]) -> None:
    """Round, name and class one element."""
    element.tail = None
    if element.text and not element.text.strip():
        element.text = None
    element.attrib.pop("clip-path", None)  # nothing is drawn beyond the sheet
    if element.get("id") == HALO:
        element.set("class", classes.setdefault(AROUND, f"k{len(classes)}"))
    if element.get("id") not in wanted:
        element.attrib.pop("id", None)
    if element.get("transform", "").startswith("rotate(-0"):
        del element.attrib["transform"]
    for name in MEASURES:
        if name in element.attrib:
            element.set(name, _rounded(element.attrib[name]))
    if "d" in element.attrib:  # a data URI writes a comma as it is, and a space in three characters
        element.set("d", element.attrib["d"].replace(" ", ","))
    style = element.attrib.pop("style", "")
    if style:
        element.set("class", classes.setdefault(_plain(style), f"k{len(classes)}"))


def _rounded(numbers: str) -> str:
    short = re.sub(
        r"-?\d+\.\d+", lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), numbers
    )
    short = re.sub(r"\s+", " ", short).strip()
    return re.sub(r" ?([MLCQZz]) ?", r"\1", short)


def _plain(style: str) -> str:
    """Return a style without its font, which the sheet names once for all texts."""
    parts = [part.strip().replace(": ", ":") for part in style.split(";")]
    return ";".join(part for part in parts if part and not part.startswith("font-family"))


def _flatten(parent: ElementTree.Element) -> None:
    """Replace groups and definitions that say nothing by what they hold."""
    for child in list(parent):
        _flatten(child)
    kept: list[ElementTree.Element] = []
    for child in parent:
        bare = child.tag == f"{{{SVG}}}g" and not child.attrib
        kept += list(child) if bare else [child]
    kept = [child for child in kept if child.tag != f"{{{SVG}}}defs" or len(child)]
    kept = [child for child in kept if child.tag != f"{{{SVG}}}clipPath"]
    parent[:] = kept


def _sheet(classes: Mapping[str, str], dark: Mapping[str, str]) -> str:
    light = "".join(f".{name}{{{style}}}" for style, name in classes.items())
    rules = ""
    for style, name in classes.items():
        turned = style
        for colour, other in dark.items():
            turned = turned.replace(colour, other)
        own = [part for part in turned.split(";") if part not in style.split(";")]
        rules += f".{name}{{{';'.join(own)}}}" if own else ""
    whole = f"text{{font-family:{FONTS};white-space:pre}}"
    return f"{whole}{light}@media(prefers-color-scheme:dark){{{rules}}}"

"""The pipeline as a drawing: its stages, and how many instances of each the default run has."""

from pathlib import Path
from xml.sax.saxutils import escape

import yaml

WIDTH, HEIGHT, GAP, TOP = 142, 62, 26, 8  # pixels: a box, and what is between boxes
STYLE = """
.box{fill:#f4f6f8;stroke:#8a929c}.last{fill:#e3eefb;stroke:#2f73b7}
.name{fill:#1c1e21;font-weight:600}.what{fill:#565c64;font-size:11.5px}
path{stroke:#8a929c;stroke-width:1.6;fill:none}
text{font:14px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
@media(prefers-color-scheme:dark){.box{fill:#22272d;stroke:#8a929c}.last{fill:#1b3049;stroke:#7cbcf5}
.name{fill:#e4e6e9}.what{fill:#a7aeb7}}
"""


def drawing(root: Path) -> str:
    """Return the SVG: two rows of boxes, joined by arrows in the order in which they run."""
    return _drawn(_stages(root), columns=4)


def narrow(root: Path) -> str:
    """Return the same for telephones: four rows of two."""
    return _drawn(_stages(root), columns=2)


def _stages(root: Path) -> list[tuple[str, str]]:
    grid = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["grid"]
    return [
        ("download", _many(grid["datasets"], "data set")),
        ("teach", _many(grid["teachers"], "teacher")),
        ("distill", _many(grid["students"], "student")),
        ("prune", _many(grid["sweeps"], "sweep")),
        ("breakpoints", "where curves break"),
        ("efficiency", "score per network"),
        ("significance", "paired tests"),
        ("report", "pictures and words"),
    ]


def _drawn(stages: list[tuple[str, str]], columns: int) -> str:
    step, down, rows = WIDTH + GAP, HEIGHT + 34, len(stages) // columns
    whole = step * columns - GAP + 4, TOP * 2 + down * (rows - 1) + HEIGHT
    parts = [
        _box(name, what, 2 + step * (at % columns), TOP + down * (at // columns), name == "report")
        for at, (name, what) in enumerate(stages)
    ]
    right, left = 2 + step * (columns - 1) + WIDTH / 2, 2 + WIDTH / 2
    for row in range(rows):
        y = TOP + down * row
        for place in range(columns - 1):
            x = 2 + step * place + WIDTH
            parts.append(f'<path d="M{x} {y + HEIGHT / 2}h{GAP - 3}m-6-4l6 4-6 4"/>')
        if row < rows - 1:
            turn, end = y + HEIGHT + 17, y + down - 2
            parts.append(f'<path d="M{right} {y + HEIGHT}V{turn}H{left}V{end}m-4-6l4 6 4-6"/>')
    counts = ", ".join(what for _, what in stages[:4])
    title = f"{counts}; then breakpoints, efficiency, tests, report"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole[0]} {whole[1]}" '
        f'width="{whole[0]}" height="{whole[1]}" role="img"><title>{escape(title)}</title>'
        f"<style>{STYLE.strip()}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _many(items: dict | list, noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _box(name: str, what: str, x: float, y: float, last: bool) -> str:
    middle = x + WIDTH / 2
    return (
        f'<rect class="{"last" if last else "box"}" x="{x}" y="{y}" width="{WIDTH}" '
        f'height="{HEIGHT}" rx="8"/>'
        f'<text class="name" x="{middle}" y="{y + 27}" text-anchor="middle">{escape(name)}</text>'
        f'<text class="what" x="{middle}" y="{y + 46}" text-anchor="middle">{escape(what)}</text>'
    )

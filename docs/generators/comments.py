"""The comments of a YAML file, by the key that they stand at."""

import re
from pathlib import Path

KEY = re.compile(r"^( *)([A-Za-z_][\w@]*):( .*)?$")
TRAILING = re.compile(r"\s#\s?(.*)$")


def read(path: Path) -> dict[str, str]:
    """Return {dotted key: comment}: the full lines above a key, then what stands behind it.

    A block of comments at the top of the file, above its first key, is found under "".
    """
    found: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    above: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            above.append(stripped.lstrip("# "))
            continue
        if not found and above:
            found[""], above = " ".join(above), []
        match = KEY.match(TRAILING.sub("", line))
        if match:
            indent = len(match[1])
            parents = [item for item in parents if item[0] < indent]
            key = ".".join([name for _, name in parents] + [match[2]])
            behind = TRAILING.search(line)
            text = " ".join([*above, *([behind[1]] if behind else [])])
            found[key] = " ".join(text.split())
            parents.append((indent, match[2]))
        above = []
    return found

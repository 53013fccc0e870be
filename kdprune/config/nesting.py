"""Bounds what a YAML file unfolds to, before anything is made of it."""

from typing import Any

import yaml

DEEPEST = 60  # params.yaml nests 6 deep; the parser's own recursion ends the process at thousands
MOST = 1_000_000  # values, with every alias unfolded; params.yaml of the whole study has thousands
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check(content: bytes) -> None:
    """Check a YAML file's depth and its size, with aliases unfolded, event by event.

    Raises ValueError where it nests deeper than DEEPEST or has more than MOST values, and
    yaml.YAMLError where it is no YAML.
    """
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]  # anchor, values so far
    for event in yaml.parse(content, Loader=_Parser):
        size, anchor = 1, getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            size, anchor = sizes.get(event.anchor, 1), None
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(open_nodes) > DEEPEST:
                raise ValueError(f"nests deeper than {DEEPEST} levels")
            open_nodes.append((anchor, 1))
            continue
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
        elif not isinstance(event, yaml.ScalarEvent):
            continue
        if anchor:
            sizes[anchor] = size
        above, held = open_nodes[-1]
        if held + size > MOST:
            raise ValueError(f"has more than {MOST:,} values, aliases unfolded")
        open_nodes[-1] = above, held + size


def parse(content: bytes) -> Any:
    """Parse YAML that some program wrote, checked first. Raises as `check` does."""
    check(content)
    return yaml.load(content, Loader=_Parser)

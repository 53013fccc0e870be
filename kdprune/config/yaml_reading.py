"""YAML that means the same to DVC, which reads 1.2, and to PyYAML, which reads 1.1; and no other.

The rules: https://yaml.org/type/int.html (1.1) and https://yaml.org/spec/1.2.2/#1032-tag-resolution.
"""

import re
from typing import Any

import yaml

from kdprune.errors import KdpruneError

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser where there is one
MARKER = re.compile(rb"^(<{7} |={7}\r?$|>{7} )", re.MULTILINE)
# Plain scalars that are one thing in 1.1 and another in 1.2
TWO_WAYS = re.compile(
    r"[-+]?0[0-7_]+|[-+]?0o[0-7]+|[-+]?0b[01_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?[0-9][0-9.]*_[0-9._]*(e[-+]?[0-9]+)?|[-+]?0[0-9]+"
    r"|yes|no|on|off|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?",
    re.IGNORECASE,
)


class Loader(_Parser):
    """PyYAML lets the last of two equal keys win, without a word; here that is a fault."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping whose keys and values can be read in one way."""
        seen: list[Any] = []
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise KdpruneError(f"{key!r} is there twice (line {line}); keep one")
            seen.append(key)
            _check(key, key_node)
            _check(key, value_node)
        return super().construct_mapping(node, deep)


def check_merged(content: bytes, path: object) -> None:
    """Raise KdpruneError where git has left the markers of a merge conflict."""
    if marker := MARKER.search(content):
        line = content.count(b"\n", 0, marker.start()) + 1
        raise KdpruneError(
            f"{path}: has a merge conflict (line {line}); take one side, `git checkout --ours "
            f"{path}` or --theirs, and see docs/how-to/compare.md"
        )


def _check(key: object, node: yaml.Node) -> None:
    """Raise KdpruneError for a plain value, alone or in a list, that can be read in two ways."""
    for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        plain = (
            isinstance(one, yaml.ScalarNode) and not one.style
        )  # None, or empty from the C parser
        if plain and TWO_WAYS.fullmatch(one.value):
            raise KdpruneError(
                f"{key} = {one.value} (line {one.start_mark.line + 1}): YAML 1.1 and 1.2 read it "
                f"differently; write a plain decimal number, true or false, or quote text: "
                f"'{one.value}'"
            )

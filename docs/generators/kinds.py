"""How a JSON schema's types, ranges and values read in a table."""

from typing import Any


def kind(schema: dict[str, Any], definitions: dict[str, Any] | None = None) -> str:
    """Return what a value must be, with its range, in words."""
    schema = resolved(schema, definitions or {})
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return ", or ".join(kind(one, definitions) for one in schema[several])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    name = schema.get("type")
    if name in ("integer", "number"):
        return ", ".join(["whole number" if name == "integer" else "number", *_range(schema)])
    if name == "boolean":
        return "`true`, `false`"
    if name == "array":
        return f"list: {kind(schema.get('items', {}), definitions)}"
    if name == "object":
        return "mapping"
    return {"null": "`null`", "string": "text", None: "anything plain"}[name]


def resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to a definition, also where `null` may stand in its place."""
    several = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(several) == 1 and "$ref" in several[0]:
        schema = several[0]
    name = schema.get("$ref", "").rpartition("/")[2]
    return definitions[name] if name else schema


def value(given: Any) -> str:
    """Return a default as YAML would write it on one line."""
    if isinstance(given, bool) or given is None:
        return {True: "`true`", False: "`false`", None: "`null`"}[given]
    if isinstance(given, list):
        return "`[" + ", ".join(str(item) for item in given) + "]`"
    return f"`{given}`"


def cell(text: str) -> str:
    """Return text that cannot break a table's row."""
    return text.replace("|", "\\|") or "–"


def _range(schema: dict[str, Any]) -> list[str]:
    words = []
    if "minimum" in schema:
        words.append(f"from {schema['minimum']:,}")
    if "exclusiveMinimum" in schema:
        words.append(f"above {schema['exclusiveMinimum']:,}")
    if "maximum" in schema:
        words.append(f"to {schema['maximum']:,.0f}")
    if "exclusiveMaximum" in schema:
        words.append(f"below {schema['exclusiveMaximum']:,}")
    return words

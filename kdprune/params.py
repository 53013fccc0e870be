"""Reads and validates the parameters of the study as a whole, before any work begins."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from kdprune.errors import KdpruneError
from kdprune.grid import nearest
from kdprune.schema import Params


def load(path: str | Path = "params.yaml") -> Params:
    """Read and validate params.yaml. Raises KdpruneError with one line on any fault."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise KdpruneError(
            f"{path}: cannot be read ({error.strerror}); run `make params`"
        ) from None
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        values = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise KdpruneError(f"{path}: is no YAML: {reason}") from None
    return validate(values, where=str(path))


def validate(values: Any, *, where: str = "params") -> Params:
    """Validate a mapping of parameters. Raises KdpruneError with one line on any fault."""
    if not isinstance(values, Mapping):
        raise KdpruneError(f"{where}: must be a mapping; run `make params` to write it anew")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise KdpruneError(f"{where}: {_describe(error)}") from None


def _describe(error: ValidationError) -> str:
    """Turn pydantic's first complaint into one line."""
    first = error.errors()[0]
    if first["type"] == "value_error":
        prefix = ".".join(str(part) for part in first["loc"])
        message = str(first["ctx"]["error"])
        return f"{prefix}.{message}" if prefix else message
    key = ".".join(str(part) for part in first["loc"] if not _is_union_branch(part))
    if first["type"] == "extra_forbidden":
        parent = _fields_at(first["loc"][:-1])
        return f"{key}: is unknown; {nearest(str(first['loc'][-1]), parent)}"
    if first["type"] == "missing":
        return f"{key}: is missing; run `make params` to write params.yaml from conf/"
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{key} = {first['input']!r}: {message}"


def _fields_at(location: tuple[Any, ...]) -> list[str]:
    """Return the keys that are known in the section at `location`."""
    model: Any = Params
    for part in location:
        field = getattr(model, "model_fields", {}).get(part)
        model = field.annotation if field else None
    known = isinstance(model, type) and issubclass(model, BaseModel)
    return list(model.model_fields) if known else []


def _is_union_branch(part: Any) -> bool:
    """Pydantic names the branch of a union in the path; a person looks for the key only."""
    return isinstance(part, str) and ("[" in part or part in ("str", "int", "float", "bool"))

"""Reads and validates the parameters of the study as a whole, before any work begins."""

import math
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from kdprune.config import nesting
from kdprune.config.schema import Params
from kdprune.config.signatures import PACKAGES, registered, takes
from kdprune.config.yaml_reading import Loader, check_merged
from kdprune.errors import KdpruneError, nearest
from kdprune.records import require_regular

LARGEST = 64 << 20  # bytes; the paper's study with its grid takes a tenth of a megabyte
_HELD: dict[str, bytes] = {}


@contextmanager
def held(content: bytes | None) -> Iterator[None]:
    """Have `load` read `content` in place of params.yaml, which others may rewrite meanwhile."""
    before = dict(_HELD)
    if content is not None:
        _HELD["params.yaml"] = content
    try:
        yield
    finally:
        _HELD.clear()
        _HELD.update(before)


def load(path: str | Path = "params.yaml") -> Params:
    """Read and validate params.yaml. Raises KdpruneError with one line on any fault."""
    try:
        content = _HELD.get(str(path)) or _content(Path(path))
        check_merged(content, path)
        nesting.check(content)
        values = yaml.load(content, Loader=Loader)
    except OSError as error:
        raise KdpruneError(
            f"{path}: cannot be read ({error.strerror}); run `make params`"
        ) from None
    except KdpruneError as error:
        told = str(error)
        raise KdpruneError(told if told.startswith(f"{path}:") else _line(path, told)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise KdpruneError(_line(path, f"is no YAML: {error}; run `make params`")) from None
    return validate(values, where=str(path))


def _content(path: Path) -> bytes:
    require_regular(path)
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise KdpruneError(f"has more than {LARGEST >> 20} MiB; name a file of parameters")
    return content


def validate(values: Any, *, where: str = "params") -> Params:
    """Validate a mapping of parameters. Raises KdpruneError with one line on any fault."""
    if not isinstance(values, Mapping):
        held = _shown(values)
        raise KdpruneError(f"{where}: holds {held}, must be a mapping; run `make params`")
    for section in PACKAGES:
        given = values.get(section)
        for name in given if isinstance(given, Mapping) else ():
            if name not in _known(section):
                hint = nearest(str(name), _known(section))
                raise KdpruneError(_line(where, f"{section}.{name}: is unknown; {hint}"))
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        raise KdpruneError(_line(where, _describe(error, Params))) from None
    except RecursionError:
        raise KdpruneError(f"{where}: nests too deep; run `make params`") from None
    for section in PACKAGES:
        for method, given in getattr(params, section).hyperparameters.items():
            try:
                takes(section, method).model_validate(given)
            except ValidationError as error:
                described = _describe(error, takes(section, method))
                raise KdpruneError(_line(where, f"{section}.{method}.{described}")) from None
    return params


def unknown(key: str) -> str:
    """Say which part of a dotted key is unknown, and which is meant; of an open mapping, how to
    add it.
    """
    parts = key.split(".")
    for count, part in enumerate(parts):
        known = _keys(parts[:count])
        if known and part not in known:
            return f"{'.'.join(parts[: count + 1])}: is unknown; {nearest(part, known)}"
    return f"{key}: is not in conf/ yet; write +{key}=… to add it"


def _keys(location: list[str]) -> list[str]:
    """Return the keys that a section of the parameters may have; none where any may stand."""
    if not location:
        return list(Params.model_fields)
    section, *method = location
    if section in PACKAGES and not method:
        return _known(section)
    if section in PACKAGES and method[0] in registered(section):
        return list(takes(section, method[0]).model_fields) if len(method) == 1 else []
    return _fields(Params, location)


def _known(section: str) -> list[str]:
    return [*_fields(Params, [section]), *registered(section)]


def _describe(error: ValidationError, model: type[BaseModel]) -> str:
    """Turn pydantic's first complaint into one line; a misspelt key explains a missing one."""
    errors = error.errors(include_url=False)
    first = next((item for item in errors if item["type"] != "missing"), errors[0])
    location = [part for part in first["loc"] if part not in ("(one)", "(several)")]
    key = ".".join(str(part) for part in location)
    if first["type"] == "value_error":
        message = str(first["ctx"]["error"])
        if location and not isinstance(first["input"], Mapping):
            return f"{key} = {_shown(first['input'])}: {message}"
        return f"{key}.{message}" if key else message
    if first["type"] == "extra_forbidden":
        known = _fields(model, location[:-1])
        hint = nearest(str(location[-1]), known) if known else "no key is allowed here"
        return f"{key}: is unknown; {hint}"
    if first["type"] == "missing":
        return f"{key}: is missing; run `make params` to write params.yaml from conf/"
    message = first["msg"][0].lower() + first["msg"][1:]
    hint = _number(first["input"]) if first["type"] in ("int_type", "float_type") else ""
    return f"{key} = {_shown(first['input'])}: {message}{hint}"


def _number(value: Any) -> str:
    """Say how to write a number that YAML takes for text: 1e-3 is one of these, 1.0e-3 is not."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    if not math.isfinite(number):
        return ""
    return f"; YAML took it for text, write {int(number) if number.is_integer() else number}"


def _fields(model: Any, location: list[Any]) -> list[str]:
    """Return the keys that are known in the section at `location`."""
    for part in location:
        if fields := getattr(model, "model_fields", None):
            model = fields[part].annotation if part in fields else None
        else:  # a mapping from names to sections
            model = next(iter(typing.get_args(model)[1:]), None)
        if isinstance(model, UnionType):  # Section | None
            model = next(filter(_is_section, typing.get_args(model)), None)
    return list(model.model_fields) if _is_section(model) else []


def _is_section(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


def _shown(value: Any) -> str:
    """Return a value as a line shows it."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}…"


def _line(where: str | Path, text: str) -> str:
    """Return one line: keys and names may hold whatever a file holds."""
    return " ".join(f"{where}: {text}".split())

"""What hyperparameters each method takes, read from its source: importing it would import torch."""

import ast
import types
import typing
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydantic

from kdprune.errors import KdpruneError
from kdprune.methods import PACKAGES, PROTOCOL

ROOT = Path(__file__).parents[2]
PLAIN = (bool, int, float, str, types.NoneType)


@cache
def registered(section: str) -> list[str]:
    """Return the names in a package's METHODS.

    Raises KdpruneError, as `takes` does, where one of the methods cannot be checked.
    """
    methods = _registry(section)
    for method, name in methods.items():
        _hyperparameters(section, method, name)
    return list(methods)


@cache
def takes(section: str, method: str) -> type[pydantic.BaseModel]:
    """Return what hyperparameters a method of `distill` or `prune` takes, as a pydantic model.

    They are the keyword-only arguments of what METHODS names (of a class, those of its __init__),
    and where it passes others on (`**shared`), those of its base: types and ranges are those of
    the annotations. Raises KdpruneError for a signature that says no types or ranges to check by.
    """
    config = pydantic.ConfigDict(extra="forbid", strict=True)
    hyperparameters = _hyperparameters(section, method, _registry(section)[method])
    fields: dict[str, Any] = {name: (kind, None) for name, kind in hyperparameters.items()}
    return pydantic.create_model(method, __config__=config, **fields)


@cache
def trains(method: str) -> bool:
    """Whether a pruning method trains on its way: it has a keyword `train`.

    Such a one is trained once per network, by the stage sparsify. An unknown one does not.
    """
    name = _registry("prune").get(method)
    function = _named(_parsed("prune", method), name) if name else None
    if not isinstance(function, ast.FunctionDef):
        return False
    return any(item.arg == "train" for item in function.args.kwonlyargs)


@cache
def _registry(section: str) -> dict[str, str]:
    """Return the names in a package's METHODS, and of the class or function each stands for."""
    values = (getattr(node, "value", None) for node in _parsed(section, "__init__").body)
    methods = next(value for value in values if isinstance(value, ast.Dict))
    return {
        ast.literal_eval(key): getattr(value, "attr", getattr(value, "id", ""))
        for key, value in zip(methods.keys, methods.values, strict=True)
        if key is not None
    }


@cache
def _hyperparameters(section: str, stem: str, name: str) -> dict[str, Any]:
    """Return the types of what a class or function takes, own hyperparameters last."""
    module = _parsed(section, stem)
    definition = _named(module, name)
    function, inherited = definition, {}
    if isinstance(definition, ast.ClassDef):
        function = _named(definition, "__init__")
        if function is None or (isinstance(function, ast.FunctionDef) and function.args.kwarg):
            inherited = _of_base(section, stem, definition)
        if function is None:
            return inherited
    if not isinstance(function, ast.FunctionDef) or (function.args.kwarg and not inherited):
        fault = "its hyperparameters cannot be read: define it there, with keyword-only arguments"
        raise KdpruneError(f"{_file(section, stem)}: {name}: {fault}, and ** only for a base's")
    constants = _constants(module)
    return inherited | {
        item.arg: _type(item, constants, f"{_file(section, stem)}: {name}")
        for item in function.args.kwonlyargs
        if item.arg not in PROTOCOL
    }


def _of_base(section: str, stem: str, definition: ast.ClassDef) -> dict[str, Any]:
    """Return the types of what the base takes, a class of the package; none of a stranger's."""
    package = f"kdprune.{PACKAGES[section]}."
    base = definition.bases[0] if definition.bases else None
    if not isinstance(base, ast.Name):
        return {}
    module = _parsed(section, stem)
    for node in module.body:
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(package):
            continue
        if any(alias.name == base.id for alias in node.names):
            return _hyperparameters(section, str(node.module).removeprefix(package), base.id)
    return _hyperparameters(section, stem, base.id) if _named(module, base.id) else {}


def _constants(module: ast.Module) -> dict[str, Any]:
    """Return the numbers and words that a file names at its top: a range may be stated by them."""
    values: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            values |= dict.fromkeys(names, node.value.value)
    return values


def _type(argument: ast.arg, constants: dict[str, Any], where: str) -> Any:
    """Return the type that an annotation stands for. Raises KdpruneError where it is not plain."""
    text = "none" if argument.annotation is None else ast.unparse(argument.annotation)
    holder = SimpleNamespace(__annotations__={"value": text})
    names = constants | vars(typing) | {"Field": pydantic.Field}
    try:
        kind = typing.get_type_hints(holder, names, include_extras=True)["value"]
    except (NameError, TypeError, AttributeError, SyntaxError):
        kind = None
    if not _is_plain(kind):
        raise KdpruneError(
            f"{where}: {argument.arg} is annotated {text}, by which no parameter can be checked; "
            "write out bool, int, float, str, Literal[…], list[…], one of these | None, or "
            "Annotated[one of these, Field(…)]; no alias is followed"
        )
    return kind


def _is_plain(kind: Any) -> bool:
    """Whether YAML can hold what a type allows, and pydantic can check it."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _is_plain(inner[0])
    if origin in (typing.Union, types.UnionType):
        return all(map(_is_plain, inner))
    return kind in PLAIN or origin is typing.Literal or (origin is list and _is_plain(inner[0]))


@cache
def _parsed(section: str, stem: str) -> ast.Module:
    return ast.parse((ROOT / _file(section, stem)).read_text(encoding="utf-8"))


def _file(section: str, stem: str) -> str:
    return f"kdprune/{PACKAGES[section]}/{stem}.py"


def _named(within: ast.Module | ast.ClassDef, name: str) -> ast.AST | None:
    return next((node for node in within.body if getattr(node, "name", None) == name), None)

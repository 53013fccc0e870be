"""What hyperparameters each method takes, read from its source: importing it would import torch."""

import ast
import typing
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydantic

PACKAGES = {"distill": "distillation", "prune": "pruning"}  # whose METHODS a section configures
PROTOCOL = {"self", "student", "teacher", "labels", "model", "levels", "input_size"}


@cache
def takes(section: str, method: str) -> type[pydantic.BaseModel]:
    """Return what hyperparameters a method of `distill` or `prune` takes, as a pydantic model.

    They follow from the signature of what METHODS names: keywords, annotations, ranges where these
    are Annotated.
    """
    found = _named(_parsed(section, method), registered(section)[method])
    if isinstance(found, ast.ClassDef):
        found = _named(found, "__init__")
    arguments: list[ast.arg] | None = None
    if isinstance(found, ast.FunctionDef) and found.args.kwarg is None:
        arguments = [*found.args.args, *found.args.kwonlyargs]
    config = pydantic.ConfigDict(extra="allow" if arguments is None else "forbid", strict=True)
    fields: dict[str, Any] = {
        item.arg: (_annotation(item.annotation), None)
        for item in arguments or ()
        if item.arg not in PROTOCOL
    }
    return pydantic.create_model(method, __config__=config, **fields)


@cache
def registered(section: str) -> dict[str, str]:
    """Return the names in a package's METHODS, and of the class or function each stands for."""
    values = (getattr(node, "value", None) for node in _parsed(section, "__init__").body)
    methods = next(value for value in values if isinstance(value, ast.Dict))
    return {
        ast.literal_eval(key): getattr(value, "attr", getattr(value, "id", ""))
        for key, value in zip(methods.keys, methods.values, strict=True)
        if key is not None
    }


def _parsed(section: str, stem: str) -> ast.Module:
    path = Path(__file__).parents[1] / PACKAGES[section] / f"{stem}.py"
    return ast.parse(path.read_text(encoding="utf-8"))


def _named(within: ast.Module | ast.ClassDef, name: str) -> ast.AST | None:
    return next((node for node in within.body if getattr(node, "name", None) == name), None)


def _annotation(node: ast.expr | None) -> Any:
    """Return the type that an annotation stands for; Any where it is none of the simple ones."""
    text = "Any" if node is None else ast.unparse(node)
    holder = SimpleNamespace(__annotations__={"value": text})
    names = vars(typing) | {"Field": pydantic.Field, "tuple": None}
    try:
        return typing.get_type_hints(holder, names, include_extras=True)["value"]
    except (NameError, TypeError, AttributeError):
        return Any

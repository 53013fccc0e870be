"""What both registries of methods keep to: a method lies in the file of its name, and its
hyperparameters lie within the ranges that its signature states.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import pydantic

from kdprune.errors import KdpruneError

PACKAGES = {"distill": "distillation", "prune": "pruning"}  # whose METHODS a section configures
PROTOCOL = {
    "labels",
    "input_size",
    "data",
    "train",
}  # keywords that the caller gives, and parameters do not
STRICT = pydantic.ConfigDict(strict=True)

P = ParamSpec("P")
R = TypeVar("R")


def demand_own_files(package: str, methods: Mapping[str, Any]) -> None:
    """Check that each of `methods` was defined in the module of its name in `package`.

    A stage depends on that file alone, so another one would decide its result unseen. A file has
    one method: a class, or the function `prune`. Raises KdpruneError.
    """
    for name, method in methods.items():
        held, own = method.__module__, f"{package}.{name}"
        if held != own or (inspect.isfunction(method) and method.__name__ != "prune"):
            raise KdpruneError(
                f"{package}: METHODS[{name!r}] is {held}.{method.__qualname__}; it must be the "
                f"class, or the function prune, of {own}: move it there, or name it otherwise"
            )


def parts(name: str) -> tuple[str, str]:
    """Return what a sweep's method is made of: the pruning, and what its tuning learns by.

    The latter is "" where a study tunes in one way, or by labels: "weight-kd" has both
    (kdprune.config.grid).
    """
    pruning, _, objective = name.partition("-")
    return pruning, objective


def key(method: type | Callable[..., Any]) -> str:
    """Return where the parameters have a method's settings, such as "distill.vid"."""
    package, _, stem = method.__module__.rpartition(".")
    sections = {f"kdprune.{folder}": section for section, folder in PACKAGES.items()}
    return f"{sections[package]}.{stem}" if package in sections else stem


def checked(method: Callable[P, R]) -> Callable[P, R]:
    """Decorate a method, or the __init__ of one: hyperparameters are checked before it runs.

    They are its keyword-only arguments; types and ranges are those of its annotations, the only
    place that states them (`kdprune.config.signatures` reads them too). Nothing is converted. The
    decorated function raises KdpruneError, which names the key and says what it must be.
    """
    adapters = {
        name: pydantic.TypeAdapter(parameter.annotation, config=STRICT)
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in PROTOCOL
    }

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in adapters.keys() & kwargs.keys():
            try:
                adapters[name].validate_python(kwargs[name])
            except pydantic.ValidationError as error:
                owner = type(args[0]) if method.__name__ == "__init__" else method
                told = error.errors(include_url=False)[0]["msg"].replace("Input should", "must")
                raise KdpruneError(f"{key(owner)}.{name} = {kwargs[name]!r}: {told}") from None
        return method(*args, **kwargs)

    return guarded

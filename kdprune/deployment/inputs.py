"""How a network's images are prepared, from a data set's manifest that anybody may have written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError
from kdprune.records import read_json
from kdprune.study import networks

SMALLEST = 8  # pixels that networks see, as in the parameters
AGAIN = "run `dvc repro download`, or name the folder with --data"


def preprocessing(folder: Path, described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `networks.preprocessing` does.

    Raises KdpruneError as that does, and for a manifest by which images could not be cut, or by
    which classes could not be told apart: answers and certificates name them.
    """
    told = networks.preprocessing(folder, described)
    path = folder / "manifest.json"
    manifest = read_json(path)
    size, side = manifest["size"], manifest.get("side")
    if not type(size) is type(side) is int or not SMALLEST <= size <= side:
        said = f"{size!r:.20} of {side!r:.20} pixels"
        raise KdpruneError(f"{path}: says that networks see {said}; {AGAIN}")
    if not isinstance(manifest["classes"], list):
        raise KdpruneError(f"{path}: has no list of classes; {AGAIN}")
    if len(set(told["classes"])) < len(told["classes"]):
        raise KdpruneError(f"{path}: names a class twice; {AGAIN}")
    for name in told["classes"]:
        if not (isinstance(name, str) and name.isprintable()):  # cards and reports print it
            said = f"{name!a:.40}"
            raise KdpruneError(
                f"{path}: a class is called {said}, which cannot be printed; {AGAIN}"
            )
    return told

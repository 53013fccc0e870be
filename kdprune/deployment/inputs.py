"""How a network's images are prepared, from a data set's manifest that anybody may have written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdprune.data import manifests
from kdprune.errors import KdpruneError
from kdprune.models.building import SIZE
from kdprune.records import read_json
from kdprune.study import networks

AGAIN = "run `dvc repro download`, or name the folder with --data"


def preprocessing(folder: Path, described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `networks.preprocessing` does.

    Raises KdpruneError as that does, and for a manifest by which images could not be cut, of
    images that are not the network's, or by which classes could not be told apart: answers and
    certificates name them.
    """
    told = networks.preprocessing(folder, described)
    path = folder / "manifest.json"
    manifest = read_json(path)
    try:
        size, _ = manifests.views({"views": "auto", **manifest})
    except ValueError as error:
        raise KdpruneError(f"{path}: says that {error}; {AGAIN}") from None
    if size != (own := described["network"].get("size", SIZE)):
        raise KdpruneError(
            f"{path}: is of images of {size} pixels, and the network is for {own}; name the folder "
            "of the right data set with --data"
        )
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

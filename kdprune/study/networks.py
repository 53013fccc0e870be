"""Finds what the study has written: parameters, checkpoints and tables. Never imports torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdprune.config import params
from kdprune.errors import KdpruneError, nearest
from kdprune.records import identity as identity_of
from kdprune.records import network, read_json

SUFFIX = ".safetensors"


def key(item: Mapping[str, str]) -> str:
    """Return a network's name within the study, as files and stages are named."""
    return f"{item['dataset']}-{network(item)}"


def dense(item: Mapping[str, str]) -> Path:
    """Return the checkpoint of the network that a sweep prunes."""
    return Path("models") / f"{item['role']}s" / f"{key(item)}{SUFFIX}"


def trajectory(item: Mapping[str, str]) -> Path | None:
    """Return the folder of what a sweep's method left that trained on its way, if it is such."""
    given = Path(item["checkpoint"])
    return None if given == dense(item) else given


def inputs(item: Mapping[str, str]) -> list[Path]:
    """Return the files that a sweep reads: the dense network, whom its tuning learns from, and the
    levels that its method trained on its way.
    """
    folder = trajectory(item)
    levels = sorted(folder.glob(f"*{SUFFIX}")) if folder else []
    return [dense(item), Path(item["tutor"]), *levels]


def identity(metadata: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Return who a checkpoint is. Raises KdpruneError where no stage of the study wrote it."""
    missing = [part for part in ("dataset", "role", "teacher") if not metadata.get(part)]
    if missing:
        raise KdpruneError(
            f"{path}: does not say its {' and '.join(missing)}; use a checkpoint of the study, "
            "under models/teachers or models/students"
        )
    return {part: metadata.get(part, "") for part in identity_of(metadata)}


def checkpoint(project: Path, name: str) -> tuple[Path, str | None]:
    """Return the file that `name` stands for, and the pruning method that it names, if any.

    `name` is a file, or a key of the grid in params.yaml: a network (cifar10-resnet50) or a sweep
    (cifar10-resnet50-channel). Raises KdpruneError for anything else, and for a missing file.
    """
    path, method = Path(name), None
    if not path.is_file() and path.suffix != SUFFIX:
        grid = params.load(project / "params.yaml").grid
        networks = {one: role for role in ("teachers", "students") for one in grid[role]}
        if name in grid["sweeps"]:
            path, method = dense(grid["sweeps"][name]), grid["sweeps"][name]["method"]
        elif name in networks:
            path = Path("models") / networks[name] / f"{name}{SUFFIX}"
        else:
            hint = nearest(name, [*grid["sweeps"], *networks])
            raise KdpruneError(f"{name}: is neither a file nor a network of the study; {hint}")
        path = project / path
    if not path.is_file():
        raise KdpruneError(f"{path}: is not there; run `dvc repro` (or `dvc pull`) to get it")
    return path, method


def preprocessing(folder: Path, described: Mapping[str, Any]) -> dict[str, Any]:
    """Return how images are prepared, from a data set's manifest: classes, shape, mean and std.

    A network's own mean and std, which its metadata (`described`) hold, stand before them.

    Mean and std are by channel for values in 0..1. `crop` is there where networks see a share of an
    image's shorter side.

    Raises KdpruneError where the folder holds no manifest, one of other than the network's
    classes, or one by which nothing can be normalised.
    """
    from kdprune.models.metadata import check_statistics  # its room imports torch

    path = folder / "manifest.json"
    try:
        manifest = read_json(path)
        facts = {name: list(manifest[name]) for name in ("classes", "mean", "std")}
        size, crop = manifest["size"], manifest["crop"]
        facts["shape"] = [3, size, size]
        facts |= {"crop": crop} if crop != 1 else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KdpruneError(
            f"{path}: does not tell the classes and the channel statistics "
            f"({type(error).__name__}); run `dvc repro download`, or name the folder with --data"
        ) from None
    check_statistics(facts, path)
    facts |= described.get("normalised") or {}
    classes = described["network"]["classes"]
    if len(facts["classes"]) != classes:
        raise KdpruneError(
            f"{path}: names {len(facts['classes'])} classes, and the network has {classes}; name "
            "the folder of the right data set with --data"
        )
    return facts

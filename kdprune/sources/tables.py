"""A data set of one's own as parquet files, as those of the Hugging Face Hub lie on disk."""

import json
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from kdprune.data.canonical import Split
from kdprune.errors import KdpruneError
from kdprune.sources import halves, pictures
from kdprune.sources.piling import Pile
from kdprune.sources.reading import THREADS
from kdprune.sources.walking import Passed, listing

SUFFIX = ".parquet"
LABELS = ("label", "labels", "fine_label", "class", "target")  # where there are several to choose
WHOLE = "all"
DEEPEST = 2
ROWS = 64  # at a time: images are as long as their files
LIMITS = {"thrift_string_size_limit": 2**24, "thrift_container_size_limit": 2**20}
POINTER = b"version https://git-lfs"

Labels = list[Any]  # a whole number or a word per image


def files(root: Path, passed: Passed) -> dict[str, list[Path]]:
    """Return the parquet files by half, or under "all"; none where there are none, or images.

    They lie in `root` or up to two folders deeper. The half is told by the file's name
    (train-00000-of-00002.parquet), else by its folder's. Raises KdpruneError where files of one
    half lie in several folders.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path in _parquet(root, DEEPEST) or []:
        parts = (path.stem, *reversed(path.relative_to(root).parts[:-1]))
        role = next((role for role in map(_role, parts) if role), WHOLE)
        found[role].append(path)
    if WHOLE in found and len(found) > 1:
        passed.beside += [path.name for path in found.pop(WHOLE)]
    if "val" in found and "test" not in found and "train" in found:
        passed.instead.append(found["val"][0].name)
        found["test"] = found.pop("val")
    if found and WHOLE not in found and not {"train", "test"} <= set(found):
        raise KdpruneError(
            f"{root}: has parquet files of {' and '.join(found)} alone; name files train… and test…"
        )
    for paths in found.values():
        if len(folders := {path.parent for path in paths}) > 1:
            named = ", ".join(sorted(folder.relative_to(root).as_posix() for folder in folders))
            raise KdpruneError(f"{root}: holds several data sets ({named}); name one's folder")
    return {role: found[role] for role in ("train", "val", "test", WHOLE) if role in found}


def read(
    found: dict[str, list[Path]], side: int, beside: Path
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return images, bytes [N, side, side, 3], and labels of each half, and the classes' names.

    Images are laid down in files in the folder `beside`, not held. Classes are those that the files
    name, in their order; words as labels are put in the order of their characters. Raises
    KdpruneError for files without images or labels, and for images that cannot be read.
    """
    names: tuple[str, ...] = ()
    raw: dict[str, tuple[np.ndarray, Labels]] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for half, paths in found.items():
            images = Pile(beside, side)
            labels: Labels = []
            for path in paths:
                names = _read(path, side, pool, images, labels) or names
            if not images.count:
                raise KdpruneError(f"{paths[0]}: holds no rows")
            raw[half] = images.whole(), labels
    if not names:
        known = {label for _, labels in raw.values() for label in labels}
        numbers = all(isinstance(label, int) for label in known)
        order = range(max(known) + 1) if numbers else sorted(known)
        names = tuple(map(str, order))
    at = {name: place for place, name in enumerate(names)}
    splits = {}
    for half, (pixels, labels) in raw.items():
        places = [label if isinstance(label, int) else at.get(label, -1) for label in labels]
        if outside := [one for one in places if not 0 <= one < len(names)]:
            raise KdpruneError(
                f"{found[half][0]}: has a label {outside[0]}, of {len(names)} classes; rows "
                "without a label are of no use: remove them"
            )
        splits[half] = pixels, np.array(places, np.int64)
    return splits, names


def _parquet(folder: Path, deeper: int) -> list[Path] | None:
    """Return the parquet files in a folder and those in it; None as soon as there is an image."""
    inside, images = listing(folder, (beside := Passed()))
    if images:
        return None
    found = [folder / name for name in beside.foreign if name.lower().endswith(SUFFIX)]
    for one in inside if deeper else ():
        if (more := _parquet(one, deeper - 1)) is None:
            return None
        found += more
    return found


def _role(name: str) -> str | None:
    return halves.role_of(name)[0]


def _read(
    path: Path, side: int, pool: ThreadPoolExecutor, images: Pile, labels: Labels
) -> tuple[str, ...]:
    """Append what a file holds; return the names that it gives its classes, if any."""
    try:
        with pyarrow.parquet.ParquetFile(path, **LIMITS) as parquet:
            picture, label, names = _columns(parquet.schema_arrow)
            for row, content, said in _rows(parquet, picture, label):
                where = [f"{path}, row {row + at}" for at in range(len(content))]
                for pixels in pool.map(partial(pictures.decode, side=side), content, where):
                    images.add(pixels)
                labels += said
            return names
    except KdpruneError:
        raise
    except Exception as error:  # damaged files raise anything in Arrow's readers
        with path.open("rb") as file:
            pointer = file.read(len(POINTER)) == POINTER
        told = "it is a pointer of Git LFS; run `git lfs pull`" if pointer else str(error)
        reason = (told.splitlines() or [type(error).__name__])[0][:200]
        raise KdpruneError(f"{path}: holds no labelled images ({reason})") from None


def _rows(
    parquet: pyarrow.parquet.ParquetFile, picture: str, label: str
) -> Iterator[tuple[int, list[bytes], Labels]]:
    row = 0
    columns = [f"{picture}.bytes", label]
    for part in parquet.iter_batches(ROWS, columns=columns, use_threads=False):
        content = part[picture].field("bytes").to_pylist()
        if any(one is None for one in content):
            raise ValueError(f"row {row + content.index(None)} has no bytes, but a path at most")
        said = part[label].to_pylist()
        if any(one is None for one in said):
            raise ValueError(f"row {row + said.index(None)} has no label")
        yield row, content, said
        row += len(content)


def _columns(schema: pyarrow.Schema) -> tuple[str, str, tuple[str, ...]]:
    """Return the columns of images and of labels, and the classes' names where they are told."""
    images = [field.name for field in schema if _is_image(field.type)]
    told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = told.get("info", {}).get("features", {}) if isinstance(told, dict) else {}
    named = {
        name: tuple(map(str, how["names"]))
        for name, how in features.items()
        if isinstance(how, dict) and how.get("_type") == "ClassLabel" and "names" in how
    }
    labels = [
        field.name
        for field in schema
        if field.name in named or (field.name in LABELS and _is_label(field.type))
    ]
    if len(images) != 1:
        raise ValueError(f"of images it has {len(images)} columns: {', '.join(images) or 'none'}")
    chosen = labels if len(labels) == 1 else [name for name in LABELS if name in labels][:1]
    if not chosen:
        raise ValueError(f"it has no column {', '.join(LABELS)}")
    return images[0], chosen[0], named.get(chosen[0], ())


def _is_image(kind: pyarrow.DataType) -> bool:
    if not pyarrow.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    return pyarrow.types.is_binary(kind.field("bytes").type)


def _is_label(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_integer(kind) or pyarrow.types.is_string(kind)

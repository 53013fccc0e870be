"""A data set of one's own as parquet files, as those of the Hugging Face Hub lie on disk."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet

from kdprune.data.canonical import Split
from kdprune.errors import KdpruneError
from kdprune.sources import halves, pictures, unpacking
from kdprune.sources.columns import Columns, Labels, opened
from kdprune.sources.piling import Pile
from kdprune.sources.reading import THREADS
from kdprune.sources.walking import Passed, listing

SUFFIX = ".parquet"
WHOLE = "all"
DEEPEST = 2


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
    found: dict[str, list[Path]], labels: dict[str, Labels], side: int, beside: Path
) -> dict[str, Split]:
    """Return images, bytes [N, side, side, 3], and `labels` of each half.

    Images are laid down in files in the folder `beside`, not held. Raises KdpruneError for images
    that cannot be read, and where there are not as many as labels.
    """
    splits = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for half, paths in found.items():
            images = Pile(beside, side)
            for path in paths:
                _read(path, side, pool, images)
            if images.count != len(labels[half]):
                raise KdpruneError(
                    f"{paths[0]}: has {images.count} images and {len(labels[half])} labels; it is "
                    "damaged, or was changed meanwhile: fetch it anew"
                )
            splits[half] = images.whole(), np.array(labels[half], np.int64)
    return splits


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


def _read(path: Path, side: int, pool: ThreadPoolExecutor, images: Pile) -> None:
    """Append the images that a file holds."""
    with opened(path) as (parquet, columns):
        for row, content in _rows(parquet, columns):
            where = [f"{path}, row {row + at}" for at in range(len(content))]
            for pixels in pool.map(partial(pictures.decode, side=side), content, where):
                images.add(pixels)


def _rows(
    parquet: pyarrow.parquet.ParquetFile, columns: Columns
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the bytes of some images at a time, as many as there is room for, and the first's row.

    They come in smaller parts where one value may be shared by many rows.
    """
    row, held = 0, []
    step, (path, _) = unpacking.at_once(parquet, columns.read), columns.read
    for part in parquet.iter_batches(step, columns=[path], use_threads=False):
        held += part[columns.picture].field("bytes").to_pylist()
        if None in held:
            raise ValueError(f"row {row + held.index(None)} has no bytes, but a path at most")
        if len(held) >= unpacking.ROWS or sum(map(len, held)) > unpacking.ROOM:
            yield row, held
            row, held = row + len(held), []
    if held:
        yield row, held

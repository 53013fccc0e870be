"""What parquet files say before an image of them is read: columns, classes, labels, sizes."""

import json
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
import pyarrow.parquet

from kdprune.errors import KdpruneError
from kdprune.sources import unpacking
from kdprune.sources.pictures import shown

LABELS = ("label", "labels", "fine_label", "class", "target")  # where there are several to choose
MOST = 256  # classes: a label is a byte
LONGEST = 255  # characters of a class's name, as of a folder's
LIMITS = {"thrift_string_size_limit": 2**24, "thrift_container_size_limit": 2**20}
POINTER = b"version https://git-lfs"

Labels = list[Any]  # a whole number or a word per image


class Columns(NamedTuple):
    """The columns of images and of labels, and the classes' names where the file tells them."""

    picture: str
    label: str
    names: tuple[str, ...]

    @property
    def read(self) -> tuple[str, str]:
        """Of the two, the paths of what is read: of images, their bytes."""
        return f"{self.picture}.bytes", self.label


@contextmanager
def opened(path: Path) -> Iterator[tuple[pyarrow.parquet.ParquetFile, Columns]]:
    """Open a parquet file of labelled images. Raises KdpruneError for any other, and for damage
    that shows while it is read.
    """
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):  # a pipe is waited for, for ever
        raise KdpruneError(f"{path}: is no regular file; put the parquet file itself there")
    try:
        with pyarrow.parquet.ParquetFile(path, **LIMITS) as parquet:
            columns = _columns(parquet.schema_arrow)
            unpacking.check(parquet, columns.read, path.stat().st_size)
            yield parquet, columns
    except KdpruneError:
        raise
    except Exception as error:  # damaged files raise anything in Arrow's readers
        raise KdpruneError(f"{path}: holds no labelled images ({_told(error, path)})") from None


def labels(found: dict[str, list[Path]]) -> tuple[dict[str, Labels], tuple[str, ...]]:
    """Return each half's labels, places among the classes, and the classes' names.

    Classes are those that the files name, in their order, else numbers; words as labels are put in
    the order of their characters. Raises KdpruneError for files that contradict each other, and
    for names and labels that are none.
    """
    raw: dict[str, Labels] = {half: [] for half in found}
    first: dict[str, Path] = {}  # by what is said of classes, the first file that says it
    names: tuple[str, ...] = ()
    for half, paths in found.items():
        for path in paths:
            with opened(path) as (parquet, columns):
                said = _labels(parquet, columns)
            if columns.names and names not in ((), columns.names):
                raise KdpruneError(
                    f"{path}: names other classes than {first['names']}, or in another order; "
                    "write both by the same list of names"
                )
            names = names or columns.names
            first |= {"names": path} if columns.names and "names" not in first else {}
            for kind in {type(one).__name__ for one in said}:
                first.setdefault(kind, path)
            raw[half] += said
        if not raw[half]:
            raise KdpruneError(f"{paths[0]}: holds no rows")
    if not names and {"int", "str"} <= set(first):
        raise KdpruneError(
            f"{first['str']}: has words as labels, and {first['int']} numbers; write both alike"
        )
    names = names or _in_order({label for held in raw.values() for label in held}, first)
    at = {name: place for place, name in enumerate(names)}
    return {half: _places(held, at, found[half][0]) for half, held in raw.items()}, names


def _in_order(known: set[Any], first: dict[str, Path]) -> tuple[str, ...]:
    """Return the names of classes that no file names: by number, or by word."""
    if "str" in first:
        words = tuple(sorted(known))
        _require_names(words, first["str"])
        return words
    if outside := [one for one in known if not 0 <= one < MOST]:
        raise KdpruneError(
            f"{first['int']}: has a label {outside[0]}; labels count from 0, up to {MOST} classes, "
            "and rows without one are of no use: remove them"
        )
    return tuple(map(str, range(max(known) + 1)))


def _places(held: Labels, at: dict[str, int], path: Path) -> Labels:
    places = [at.get(one, -1) if isinstance(one, str) else one for one in held]
    for place, given in zip(places, held, strict=True):
        if not 0 <= place < len(at):
            told = shown(str(given))[:60]
            raise KdpruneError(
                f"{path}: has a label {told}, of {len(at)} classes; rows without a label are of no "
                "use: remove them"
            )
    return places


def _labels(parquet: pyarrow.parquet.ParquetFile, columns: Columns) -> Labels:
    held: Labels = []
    rows = unpacking.at_once(parquet, columns.read)
    for part in parquet.iter_batches(rows, columns=[columns.label], use_threads=False):
        said = part[columns.label].to_pylist()
        if None in said:
            raise ValueError(f"row {len(held) + said.index(None)} has no label")
        if long := [one for one in said if isinstance(one, str) and len(one) > LONGEST]:
            raise ValueError(f"a label of it has {len(long[0]):,} characters")
        held += said
    return held


def _columns(schema: pyarrow.Schema) -> Columns:
    images = [field.name for field in schema if _is_image(field.type)]
    told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = told.get("info", {}).get("features", {}) if isinstance(told, dict) else {}
    named = {
        name: how["names"]
        for name, how in features.items()
        if isinstance(how, dict) and how.get("_type") == "ClassLabel" and "names" in how
    }
    labelled = [
        field.name
        for field in schema
        if (field.name in named or field.name in LABELS) and _is_label(field.type)
    ]
    if len(images) != 1:
        raise ValueError(f"of images it has {len(images)} columns: {', '.join(images) or 'none'}")
    chosen = labelled if len(labelled) == 1 else [name for name in LABELS if name in labelled][:1]
    if not chosen:
        raise ValueError(f"it has no column {', '.join(LABELS)} of numbers or words")
    names = named.get(chosen[0], [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("it names its classes by other than a list of words")
    _require_names(names)
    return Columns(images[0], chosen[0], tuple(names))


def _require_names(names: list[str] | tuple[str, ...], path: Path | None = None) -> None:
    """Refuse names of classes that would not do as a folder's: they reach files and terminals."""
    seen: set[str] = set()
    for name in names:
        alike = unicodedata.normalize("NFC", name)
        if not 0 < len(name) <= LONGEST or not name.isprintable():
            fault = f"its class '{shown(name)[:60]}' is no printable name of 1 to {LONGEST} letters"
        elif alike in seen:
            fault = f"it has two classes '{shown(name)[:60]}'; name each once"
        else:
            seen.add(alike)
            continue
        raise KdpruneError(f"{path}: {fault}") if path else ValueError(fault)


def _is_image(kind: pyarrow.DataType) -> bool:
    if not pyarrow.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    return pyarrow.types.is_binary(kind.field("bytes").type)


def _is_label(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_integer(kind) or pyarrow.types.is_string(kind)


def _told(error: Exception, path: Path) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            return "it is a pointer of Git LFS; run `git lfs pull`"
    return (str(error).splitlines() or [type(error).__name__])[0][:200]

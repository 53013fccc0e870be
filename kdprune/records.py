"""How the study writes its outputs: the format of tables and JSON, and the names of networks.

Every stage that writes an output depends on this file: a change here is a change of the bytes.
"""

import errno
import json
import os
import stat
from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdprune.files import replacing

if TYPE_CHECKING:  # pandas takes 1.6 s to import, and most callers write JSON
    import pandas

IDENTITY = ["dataset", "role", "teacher", "student", "distill"]  # what tells networks apart
REPLICATE = "training_seed"  # and this, where a pair was trained by several seeds of teach.seed


def identity(held: Container[str]) -> list[str]:
    """Return what tells networks apart in a table, or in what describes one of them."""
    return [*IDENTITY, REPLICATE] if REPLICATE in held else IDENTITY


def network(item: Mapping[str, Any]) -> str:
    """Return a network's name within its data set: teacher-student-simkd, and -s2 of several."""
    parts = [item[part] for part in ("teacher", "student", "distill") if item.get(part)]
    return "-".join(parts) + suffix(item)


def teacher(item: Mapping[str, Any]) -> str:
    """Return the name of a student's teacher, of the same replicate, as files and stages have it.

    Of a teacher, its own.
    """
    return f"{item['dataset']}-{item['teacher']}{suffix(item)}"


def suffix(item: Mapping[str, Any]) -> str:
    """Return what a name ends in: -s2 for the replicate of seed 2, nothing where there is one."""
    return f"-s{item[REPLICATE]}" if item.get(REPLICATE) else ""


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON; NaN and infinity are refused with ValueError."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read one JSON file. Raises OSError, and ValueError for what is none or nests too deep."""
    require_regular(path)
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it nests too deep") from None


def require_regular(path: str | Path) -> None:
    """Raise OSError for a pipe, which would be waited for without end, a device or a socket.

    What a folder is told of, whoever opens it tells.
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))


def write_csv(path: str | Path, frame: "pandas.DataFrame") -> None:
    """Write a data frame as CSV without an index, with `\\n` line ends on every platform."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")

"""How the study writes its outputs: the format of tables and JSON, and the names of networks.

Every stage that writes an output depends on this file: a change here is a change of the bytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdprune.files import replacing

if TYPE_CHECKING:  # pandas takes 1.6 s to import, and most callers write JSON
    import pandas

IDENTITY = ["dataset", "role", "teacher", "student", "distill"]  # what tells networks apart


def network(item: Mapping[str, Any]) -> str:
    """Return a network's name within its data set, such as teacher-student-simkd."""
    return "-".join(item[part] for part in ("teacher", "student", "distill") if item.get(part))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON; NaN and infinity are refused with ValueError."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read one JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_csv(path: str | Path, frame: "pandas.DataFrame") -> None:
    """Write a data frame as CSV without an index, with `\\n` line ends on every platform."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")

"""A study's tables and JSON with values, rows, columns and bytes changed, as stages read them."""

import contextlib
import io
import json
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import mutations

from kdprune import cli

ROOT = Path(__file__).parents[2]
KEPT = ("metrics", "plots/learning")  # folders, of the committed study
CONFLICT = b"<<<<<<< HEAD\n", b"=======\n", b">>>>>>> other\n"  # as git leaves them
READERS = {  # by a file's folder, or name: the stages, and the answer, that read it
    "sweeps": ("breakpoints", "recommend", "report"),
    "teach": ("efficiency", "recommend", "report"),
    "distill": ("efficiency", "recommend", "report"),
    "breakpoints.csv": ("efficiency", "summary", "brief", "report"),
    "efficiency.csv": ("significance", "summary", "brief", "report"),
    "significance.csv": ("summary", "brief", "report"),
    "trajectories.csv": ("breakpoints", "report"),
    "codings.csv": ("brief", "report"),
    "layers": ("brief", "report"),
    "measure.csv": ("recommend", "compare"),
}  # what else there is, the report alone reads

ANSWERS = {
    "recommend": ["recommend", "--max-params", "20000"],
    "brief": ["report"],
    "compare": ["compare", ".", str(ROOT)],
}


def inputs(generator: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield mutations without end."""
    for name in KEPT:
        shutil.copytree(ROOT / name, folder / name)
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    (folder / "plots/report.html").write_text("drawn before")
    files = [path for name in KEPT for path in (folder / name).rglob("*") if path.is_file()]
    files = sorted(path for path in files if path.suffix == ".csv" or path.parent.name in READERS)
    whole = {path: path.read_bytes() for path in files}
    while True:
        path = generator.choice(files)
        kind, data = _changed(generator, path, whole[path])
        known = READERS.get(path.name) or READERS.get(path.parent.name) or ("report",)
        reader = generator.choice(known)
        yield f"{path.suffix[1:]} {kind}", partial(_read, folder, whole, path, data, reader)


def _changed(generator: random.Random, path: Path, content: bytes) -> tuple[str, bytes]:
    drawn = generator.random()
    if drawn < 0.2:
        return mutations.content(generator, content)
    if drawn < 0.3:
        lines = content.splitlines(keepends=True)
        at = generator.randrange(len(lines))
        ours, theirs = lines[at : at + 1], lines[at : at + 1]
        begin, middle, end = CONFLICT
        return "conflict", b"".join(
            [*lines[:at], begin, *ours, middle, *theirs, end, *lines[at + 1 :]]
        )
    if path.suffix == ".json":
        kind, value = mutations.value(generator, {"": json.loads(content)})
        return kind, json.dumps(value.get(""), default=str).encode()
    return _table(generator, [line.split(",") for line in content.decode().splitlines()])


def _table(generator: random.Random, rows: list[list[Any]]) -> tuple[str, bytes]:
    """Return a table with a column, a row or a cell changed."""
    kind = generator.choice(["column gone", "row gone", "rows gone", "row twice", "cell", "head"])
    column, row = generator.randrange(len(rows[0])), generator.randrange(len(rows))
    if kind == "column gone":
        rows = [[*line[:column], *line[column + 1 :]] for line in rows]
    elif kind == "row gone":
        del rows[row]
    elif kind == "rows gone":
        del rows[1:]
    elif kind == "row twice":
        rows.insert(row, rows[row])
    else:
        odd = str(generator.choice(mutations.ODD)).replace("\n", " ").replace(",", ";")
        rows[0 if kind == "head" else row][column] = odd
    return kind, "".join(",".join(line) + "\n" for line in rows).encode(errors="replace")


def _read(folder: Path, whole: dict[Path, bytes], path: Path, data: bytes, reader: str) -> None:
    for file, content in whole.items():
        if not file.is_file() or file.read_bytes() != content:
            file.write_bytes(content)
    path.write_bytes(data)
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        if reader in ANSWERS:
            given = cli.parser().parse_args(ANSWERS[reader])
            given.run(given)
        else:
            stage = __import__(f"stages.{reader}", fromlist=["main"])
            stage.main(*["cifar10"] * (reader == "summary"))

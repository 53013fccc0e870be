"""One table of many: what instances of a stage wrote in results/, joined where git tracks it."""

from collections.abc import Iterable
from pathlib import Path

from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.records import REPLICATE


def gather(table: Path, columns: Iterable[str], made: Iterable[tuple[str, Path]]) -> None:
    """Write the tables `made`, each with the instance that wrote it, as one, line for line.

    It has a head and no rows where there are none, for the report depends on it. Tables of
    networks that were trained by several seeds say which, all of them. Raises KdpruneError, and
    leaves the table as it was, where one is missing or has other columns.
    """
    head, texts = ",".join(columns) + "\n", list[str]()
    several = head.replace("distill,", f"distill,{REPLICATE},")
    for instance, path in made:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if not texts and text.startswith(several):
            head = several
        if not text.startswith(head):
            told = "has other columns" if text else "is not there"
            raise KdpruneError(f"{path}: {told}; run `dvc pull`, or `dvc repro -f {instance}`")
        texts.append(text.removeprefix(head))
    with replacing(table) as temporary:
        temporary.write_text("".join([head, *texts]), encoding="utf-8", newline="\n")

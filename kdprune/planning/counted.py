"""Remembers what counting the paper's networks gave: it takes minutes, and is arithmetic.

counted.json has a line per network, with all that its counts follow from; what is not there is
counted as ever. `python tests/test_counted.py` writes it anew.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kdprune.files import replacing
from kdprune.planning.cost import Network
from kdprune.records import read_json

TABLE = Path(__file__).with_name("counted.json")


def remembered(asked: Mapping[str, Any]) -> Network | None:
    """Return the counts of what `asked` describes, the arguments of `calibration.task` but for the
    number of images; None where the table lacks it.
    """
    counts = read().get(_written(asked))
    return None if counts is None else Network(**counts)


def read() -> dict[str, dict[str, int]]:
    """Return {a description, as JSON: counts}; empty where there is no table, or none whole."""
    try:
        return {_written(line["of"]): line["counts"] for line in read_json(TABLE)}
    except (OSError, ValueError, LookupError, TypeError):  # none, or damaged: it is counted then
        return {}


def write(counted: list[tuple[Mapping[str, Any], Network]]) -> None:
    """Write the table, a line per network."""
    lines = [json.dumps({"of": asked, "counts": asdict(made)}) for asked, made in counted]
    with replacing(TABLE) as temporary:
        temporary.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def _written(asked: Mapping[str, Any]) -> str:
    return json.dumps(asked, sort_keys=True)

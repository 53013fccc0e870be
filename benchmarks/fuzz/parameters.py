"""params.yaml with values changed, and with bytes changed."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import mutations
import yaml

from kdprune.config import params

ROOT = Path(__file__).parents[2]


def inputs(generator: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield mutations without end."""
    text = (ROOT / "params.yaml").read_bytes()
    values = yaml.safe_load(text)
    path = folder / "params.yaml"
    while True:
        if generator.random() < 0.7:
            kind, changed = mutations.value(generator, values)
            yield f"value {kind}", partial(_validate, changed)
        else:
            kind, data = mutations.content(generator, text)
            path.write_bytes(data)
            yield f"bytes {kind}", partial(_load, path)


def _validate(values: Any) -> None:
    params.validate(values)


def _load(path: Path) -> None:
    params.load(path)

"""Compressed networks: every listed attack, then headers with values changed, and bytes changed."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attacks
import compressed_files
import mutations
import torch
from networks import tiny

from kdprune.compression import files
from kdprune.deployment import coded


def inputs(generator: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield every listed attack once, and then mutations without end."""
    path = folder / "network.kdz"
    for _, content, _ in compressed_files.attacks():
        path.write_bytes(content)
        yield "listed attack", partial(files.read, path)
    model = tiny("basic")
    with torch.no_grad():
        for layer in (model.conv1, model.layer1[0].conv1):
            layer.weight[layer.weight.abs() < layer.weight.abs().median()] = 0
    wholes = []
    for coding in coded.codings([5]).values():
        files.write(path, coded.encode(model, coding), attacks.GOOD)
        wholes.append(path.read_bytes())
    while True:
        whole = generator.choice(wholes)
        header, payload = compressed_files.split(whole)
        if generator.random() < 0.5:
            kind, changed = mutations.value(generator, header)
            path.write_bytes(compressed_files.rebuilt(changed, payload))
            yield f"value {kind}", partial(read, path)
        else:
            most = len(whole) - len(payload) if generator.random() < 0.3 else None
            kind, data = mutations.content(generator, whole, most)
            path.write_bytes(data)
            yield f"bytes {kind}", partial(read, path)


def read(path: Path) -> None:
    """Load the file; assert that what was taken is a network that answers."""
    model, _ = coded.load(path)
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)

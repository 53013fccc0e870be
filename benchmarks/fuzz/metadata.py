"""Checkpoints: metadata with values changed, and files with bytes changed."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import attacks
import mutations
import torch

from kdprune.models import checkpoints

WHOLE = {**attacks.GOOD, "pruned": attacks.PRUNED}


def inputs(generator: random.Random, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield every listed attack once, and then mutations without end."""
    tensors = attacks.state()
    path = folder / "network.safetensors"
    whole = attacks.write(path, WHOLE, tensors).read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for _, lie in attacks.lies(folder / "weights.pth"):
        attacks.write(path, lie, tensors)
        yield "listed attack", lambda: read(path)
    for _, state in attacks.damaged():
        attacks.write(path, WHOLE, state)
        yield "listed tensors", lambda: read(path)
    while True:
        if generator.random() < 0.6:
            kind, changed = mutations.value(generator, WHOLE)
            for _ in range(generator.randrange(2)):
                if isinstance(changed, dict) and changed:
                    kind, changed = mutations.value(generator, changed)
            attacks.write(path, json.dumps(changed), tensors)
            yield f"value {kind}", lambda: read(path)
        else:
            kind, data = mutations.content(generator, whole, header)
            path.write_bytes(data)
            yield f"bytes {kind}", lambda: read(path)


def read(path: Path) -> None:
    """Load the file; assert that what was taken is a network that answers with numbers."""
    checkpoints.outline(path)
    model, _ = checkpoints.load(path)
    with torch.inference_mode():
        try:
            answer = model(torch.zeros(1, 3, 32, 32))
        except RuntimeError:  # told by `counts.macs`, which every command asks first
            from kdprune.models import counts

            counts.macs(model)
            raise
    assert answer.isfinite().all()

"""Changes to values and bytes, drawn at random, that no reader may stumble over."""

import copy
import random
from typing import Any

ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 5, 2**31, 2**63, 10**30, 1e-320, 1e308, float("nan")),
    *(float("inf"), -float("inf"), 0.5, "", "x", "../../x", "/etc/passwd", "file:///x", "a b"),
    *("\x1b[2J", "\u202e", "\x00", "é", "NaN", "x" * 5000, [], {}, [[]], [None], [1, "x"]),
    *({"a": 1}, [10**7], [1] * 600, {"": {}}, "pretrained", "imagenet", "resnet18", "resnet50"),
]  # fmt: skip
KEYS = [
    *("pretrained", "pretrained_cfg", "checkpoint_path", "device", "kwargs", "classes", "x", ""),
    *("layers", "channels", "img_size", "drop_rate", "act_layer", "block_config", "features_only"),
]


def value(generator: random.Random, whole: Any) -> tuple[str, Any]:
    """Return a kind of change, and a copy of nested mappings and lists with that change."""
    changed = copy.deepcopy(whole)
    places = list(_places(changed))
    kind = generator.choice(["replaced", "removed", "added", "swapped"])
    holder, key = generator.choice(places)
    if kind == "removed":
        del holder[key]
    elif kind == "added" and isinstance(holder, dict):
        holder[generator.choice(KEYS)] = copy.deepcopy(generator.choice(ODD))
    elif kind == "swapped":
        other, where = generator.choice(places)
        holder[key] = copy.deepcopy(other[where])
    else:
        kind = "replaced"
        holder[key] = copy.deepcopy(generator.choice(ODD))
    return kind, changed


def _places(holder: Any):
    keys = holder if isinstance(holder, dict) else range(len(holder))
    for key in list(keys):
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key])


def content(generator: random.Random, whole: bytes, most: int | None = None) -> tuple[str, bytes]:
    """Return a kind of change, and bytes changed within their first `most`."""
    data, most = bytearray(whole), min(most or len(whole), len(whole))
    at = generator.randrange(most)
    kind = generator.choice(["flipped", "cut", "repeated", "overwritten", "inserted"])
    if kind == "flipped":
        for _ in range(generator.randint(1, 8)):
            data[generator.randrange(most)] ^= 1 << generator.randrange(8)
    elif kind == "cut":
        del data[at:]
    elif kind == "repeated":
        data[at:at] = data[at : at + generator.randint(1, 200)]
    else:
        junk = generator.randbytes(generator.randint(1, 16))
        data[at : at + (len(junk) if kind == "overwritten" else 0)] = junk
    return kind, bytes(data)

"""A study of one question, composed: this network and these images, compressed.

It is an ordinary study (kdprune.study.founding), with a profile of its own: conf/profile/
compress.yaml, two entries in conf/, and what was asked for in compress.json.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kdprune.config.composing import literal
from kdprune.config.yaml_reading import Loader
from kdprune.errors import KdpruneError
from kdprune.files import replacing
from kdprune.home import home
from kdprune.records import read_json, write_json
from kdprune.study import founding
from kdprune.study.given import Source

ASKED = "compress.json"
DATASET, NETWORK, TEACHER, STUDENT = "images", "network", "teacher", "student"
LEVELS = [0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
PHOTOGRAPHS = 128  # pixels: from here on the middle 7/8 are seen, as is usual for photographs
VALIDATED = 400  # images: enough that one of them is a quarter of a point


@dataclass(frozen=True)
class Order:
    """What is compressed, on which images, and how."""

    images: Path
    size: int
    count: int  # training images, with those to validate on
    network: Source
    prune: str
    epochs: int
    tolerance: float
    other: Source | None = None
    role: str = ""  # of the other: TEACHER or STUDENT
    round_to: int = 1  # channels stay in multiples of it (kdprune.study.widths)


def profile(order: Order) -> dict[str, Any]:
    """Return the parameters of a study of `order`, those that are not conf/config.yaml's."""
    pairs = {"": ["network/none"], TEACHER: ["teacher/network", "network/none"]}
    pairs[STUDENT] = ["network/student"]
    learns = order.network if order.role == TEACHER else order.other or order.network
    tuning = {"scope": "all", "epochs": max(1, order.epochs // 4), "batch_size": 32, "lr": 0.005}
    tuning |= {"objective": "kd", "from": "teacher" if order.role == TEACHER else "self"}
    share = min(0.25, max(0.1, round(VALIDATED / order.count, 3)))
    return {
        "profile": "compress",
        "datasets": [DATASET],
        "pairs": pairs[order.role],
        "data": {
            "size": order.size,
            "crop": 0.875 if order.size >= PHOTOGRAPHS else 1.0,
            "validation": share,
        },
        "model": {"stem": order.network.stem or "imagenet"},
        "teach": _recipe(order, order.network),
        "distill": {
            "method": "simkd" if order.role == STUDENT else "kd",
            "training": _recipe(order, learns),
        },
        "prune": {
            "method": order.prune,
            "channel": {"round_to": order.round_to},
            "roles": ["student" if order.role else "teacher"],
            "levels": LEVELS,
            "seeds": 1,
            "finetune": tuning,
        },
        "breakpoints": {"tolerance": order.tolerance},
    }


def _recipe(order: Order, learner: Source) -> dict[str, Any]:
    """What a network is trained by: gently, where it has weights to begin with."""
    begun = bool(learner.weights)
    longer = order.epochs if begun else 3 * order.epochs
    recipe = {"epochs": longer, "lr": 0.01 if begun else 0.05, "batch_size": 32}
    return {**recipe, "schedule": "cosine", "warmup": 0.1}


def write(folder: Path, order: Order) -> bool:
    """Write the study, or leave it as it is; return whether it was there.

    Raises KdpruneError where the folder holds anything else, or another question's study.
    """
    asked = {"images": str(order.images), "size": order.size, "network": order.network.entry}
    asked |= {"role": order.role, "other": order.other.entry if order.other else None}
    asked |= {"prune": order.prune, "epochs": order.epochs}
    _require_writable(order)
    founding.resumed(folder)
    held = folder / ASKED
    if not held.is_file():
        with founding.whole(folder) as staged:
            founding.found(staged, images=False)
            write_json(staged / ASKED, asked)
            _configure(staged, order)
            founding.compose(staged)
            founding.commit(staged, "A study, by kdprune compress")
        return False
    if _asked_before(held) != asked:
        raise KdpruneError(
            f"{folder}: holds the study of another question ({ASKED}); name another --out, or ask "
            "the same to go on"
        )
    _configure(folder, order)
    founding.compose(folder)
    return True


def _require_writable(order: Order) -> None:
    """Raise KdpruneError for a name or path that params.yaml would not give back as it is."""
    given = {"IMAGES": str(order.images), "NETWORK": order.network.entry}
    if order.other:
        given[f"--{order.role}"] = order.other.entry
    for where, value in given.items():
        for text in _strings(value):
            if not _comes_back(text):
                raise KdpruneError(
                    f"{where}: {text!r} cannot be written to params.yaml as it stands; rename it"
                )


def _strings(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value
    return set().union(*map(_strings, inner)) if isinstance(value, dict | list | tuple) else set()


def _comes_back(text: str) -> bool:
    """Write `text` as composing does, and read it as a study does; return whether it is the same.

    OmegaConf refuses `${` without an end, even escaped, and leaves 0o17 plain.
    """
    try:
        held = OmegaConf.create({"text": literal(text)})
        OmegaConf.resolve(held)
        read = yaml.load(OmegaConf.to_yaml(held).encode(), Loader=Loader)
    except (OmegaConfBaseException, yaml.YAMLError, UnicodeError, KdpruneError):
        return False
    return bool(read == {"text": text})


def _asked_before(held: Path) -> Any:
    try:
        return read_json(held)
    except ValueError:
        raise KdpruneError(f"{held}: is damaged; name another --out") from None


def _configure(folder: Path, order: Order) -> None:
    conf = folder / "conf"
    named = {NETWORK: order.network.entry} | (
        {order.role: order.other.entry} if order.other else {}
    )
    added = "".join(f"  {line}\n" for line in _dumped(named).splitlines())
    networks = (home() / "conf/architectures.yaml").read_text(encoding="utf-8")
    config = (home() / "conf/config.yaml").read_text(encoding="utf-8")
    folders = {"folders": {DATASET: {"path": str(order.images)}}}
    texts = {
        "architectures.yaml": f"{networks}\n{added}",
        "config.yaml": config.replace("profile: mini", "profile: compress"),
        "datasets.yaml": _dumped(folders),
        "profile/compress.yaml": "# @package _global_\n# Written by `kdprune compress`.\n"
        + _dumped(profile(order)),
    }
    for name, text in texts.items():
        with replacing(conf / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    """PyYAML leaves plain what it reads as text, and OmegaConf and YAML 1.2 as a number: 1e3."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if text[:1] in tuple("0123456789+-.") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _quoted)


def _dumped(values: Any) -> str:
    """Return YAML of which Hydra makes `values` again, whatever the strings in them hold."""
    return str(yaml.dump(literal(values), Dumper=_Dumper, sort_keys=False))

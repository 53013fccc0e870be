"""Writes a prepared network's forms, certificate and model card: a whole folder, or nothing."""

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import torch

from kdprune import __version__
from kdprune.deployment import card, certificate, forms
from kdprune.deployment.prepared import Prepared
from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.records import IDENTITY, write_json

CERTIFICATE = "certificate.json"


def check_target(out: Path) -> None:
    """Raise KdpruneError where writing `out` would take away what no export wrote."""
    if not out.exists():
        return
    foreign = not out.is_dir() or {item.name for item in out.iterdir()} - {
        CERTIFICATE,
        card.CARD,
        *forms.FILES.values(),
    }
    if foreign:
        raise KdpruneError(
            f"{out}: is there and holds more than an earlier export; name another --out"
        )


def write(made: Prepared, out: Path, names: Sequence[str]) -> dict[str, Any]:
    """Write forms, certificate and model card to the folder `out`; return the certificate.

    Raises KdpruneError, and leaves `out` as it was, where a form cannot be written or disagrees.
    """
    out = out.resolve()  # "." has no name, and no place beside it
    check_target(out)
    with _whole_folder(out) as folder:
        for name in names:
            forms.WRITERS[name](folder / forms.FILES[name], made.pruned.model, made.metadata)
        text = _certificate(made, folder, names)
        write_json(folder / CERTIFICATE, text)
        (folder / card.CARD).write_text(card.write(text), encoding="utf-8", newline="\n")
    return text


def _certificate(made: Prepared, folder: Path, names: Sequence[str]) -> dict[str, Any]:
    source, how = certificate.file_facts(made.checkpoint), made.metadata["pruned"]
    reference = "removed" if how["removed"] else "masked"
    compared, expected = _compared(made, folder, names, reference)
    accuracy = compared[reference]["test_accuracy"]
    sweep = made.sweep
    if sweep is not None:
        sweep = {**sweep, "equal": abs(sweep["test_accuracy"] - accuracy) < 1e-9}
    libraries = ["torch", "timm", *(forms.NEEDS["onnx"] if "onnx" in names else ())]
    return {
        "network": {name: made.metadata.get(name, "") for name in IDENTITY},
        "architecture": made.metadata["network"],
        "source": {"file": made.source, **source},
        "pruned": how,
        "parameters": certificate.parameters(made.dense, made.pruned),
        "macs": {"dense": counts.macs(made.dense), "pruned": counts.macs(made.pruned.model)},
        "input": made.metadata["input"],
        "images": {"split": "test", "count": len(made.data["test_labels"])},
        "classes": certificate.by_class(
            expected, made.data["test_labels"], made.metadata["input"]["classes"]
        ),
        "reference": reference,
        "tolerance": certificate.TOLERANCE,
        "forms": compared,
        "sweep": sweep,
        "versions": {
            "kdprune": __version__,
            "python": platform.python_version(),
            **{name: packages.version(name) for name in libraries},
        },
    }


def _compared(
    made: Prepared, folder: Path, names: Sequence[str], reference: str
) -> tuple[dict[str, dict[str, Any]], torch.Tensor]:
    """Run every form on the test images; refuse where one disagrees with the network."""
    given = [made.data[name] for name in ("test_images", "mean", "std")]
    labels = made.data["test_labels"]
    expected = certificate.logits(made.pruned.model, *given)
    compared = {reference: certificate.compare(expected, expected, labels)}
    if made.twin is not None:
        compared["masked"] = certificate.compare(
            expected, certificate.logits(made.twin, *given), labels
        )
    for name in names:
        path = folder / forms.FILES[name]
        logits = certificate.logits(forms.READERS[name](path), *given)
        compared[name] = {
            "file": path.name,
            **certificate.file_facts(path),
            **certificate.compare(expected, logits, labels),
        }
    certificate.demand_agreement(compared, reference)
    return compared, expected


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Yield a new folder beside `out`, which takes its place when the block succeeds."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (out.with_name(f".{out.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        fresh.mkdir()
        yield fresh
        if out.exists():
            out.rename(old)
        fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(old, ignore_errors=True)

"""Writes a prepared network's forms, certificate and model card: a whole folder, or nothing."""

import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune import __version__
from kdprune.compression import files
from kdprune.deployment import card, certificate, coded, converting, forms
from kdprune.deployment.prepared import Prepared
from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.records import identity, write_json
from kdprune.study.sizes import BITS, DEFAULT_CODING

CERTIFICATE = "certificate.json"
# What `kdprune evaluate` adds; of an export that is written anew it holds no longer
EVALUATED = {"numbers": "evaluation.json", "text": "evaluation.md", "sheet": "disagreements.png"}


def check_target(out: Path) -> None:
    """Raise KdpruneError where `out` cannot be written, or would take away what no export wrote."""
    require_folder(out)
    try:
        os.fspath(out).encode()
    except UnicodeEncodeError:  # safetensors and ONNX would refuse it, after all the work
        raise KdpruneError(f"{out}: its name is no UTF-8; name another --out") from None
    if not out.exists():
        return
    foreign = not out.is_dir() or {item.name for item in out.iterdir()} - {
        CERTIFICATE,
        card.CARD,
        *forms.FILES.values(),
        *EVALUATED.values(),
    }
    if foreign:
        raise KdpruneError(
            f"{out}: is there and holds more than an earlier export; name another --out"
        )


def require_folder(out: Path) -> None:
    """Raise KdpruneError where `out` cannot be a folder: told before the work, and not after it."""
    try:
        above = out.resolve()
    except (OSError, RuntimeError):  # RuntimeError: until Python 3.13, of links in a circle
        raise KdpruneError(f"{out}: leads in a circle of links; name another --out") from None
    while not os.path.lexists(above):
        above = above.parent
    if not above.is_dir() and above != out.resolve():
        raise KdpruneError(f"{above}: is a file where a folder must be; name another --out")


def write(
    made: Prepared, out: Path, names: Sequence[str], coding: str = DEFAULT_CODING
) -> dict[str, Any]:
    """Write forms, certificate and model card to the folder `out`; return the certificate.

    The compressed form's weights are coded by `coding`, one of `coded.codings`.

    Raises KdpruneError, and leaves `out` as it was, where a form cannot be written or disagrees.
    """
    out = out.resolve()  # "." has no name, and no place beside it
    check_target(out)
    with _whole_folder(out) as folder:
        coded_as: dict[str, nn.Module] = {}  # the networks of forms that lose something
        for name in names:
            path = folder / forms.FILES[name]
            if name == forms.COMPRESSED:
                coded_as[name] = _compress(made, path, coding)
            else:
                forms.WRITERS[name](path, made.pruned.model, made.metadata)
        text = _certificate(made, folder, names, coded_as)
        for name in coded_as:
            text["forms"][name]["coding"] = coding
        write_json(folder / CERTIFICATE, text)
        (folder / card.CARD).write_text(card.write(text), encoding="utf-8", newline="\n")
    return text


def _compress(made: Prepared, path: Path, name: str) -> nn.Module:
    """Write the network by a coding; return it as it is behind it."""
    how = made.metadata.get("pruned", {"batchnorm": {"re_estimate": False}})["batchnorm"]
    count = how["images"] if how["re_estimate"] else 0
    coding = coded.codings(BITS)[name]
    model, tensors = coded.compressed(made.pruned.model, coding, made.data, count, made.augment)
    files.write(path, tensors, made.metadata)
    return model


def _certificate(
    made: Prepared, folder: Path, names: Sequence[str], coded_as: Mapping[str, nn.Module]
) -> dict[str, Any]:
    source, how = certificate.file_facts(made.checkpoint), made.metadata.get("pruned")
    reference = "trained" if how is None else "removed" if how["removed"] else "masked"
    compared, expected = _compared(made, folder, names, reference, coded_as)
    accuracy = compared[reference]["test_accuracy"]
    sweep = made.sweep
    if sweep is not None:
        sweep = {**sweep, "equal": abs(sweep["test_accuracy"] - accuracy) < 1e-9}
    libraries = ["torch", "timm", *(converting.NEEDS["onnx"] if "onnx" in names else ())]
    return {
        "network": {name: made.metadata.get(name, "") for name in identity(made.metadata)},
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
    made: Prepared,
    folder: Path,
    names: Sequence[str],
    reference: str,
    coded_as: Mapping[str, nn.Module],
) -> tuple[dict[str, dict[str, Any]], torch.Tensor]:
    """Run every form on the test images; refuse where one disagrees with the network.

    One that loses something is held to the network that it was made of, as `coded_as` has it;
    how far that is from the reference is told beside it.
    """
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
        own = certificate.logits(coded_as[name], *given) if name in coded_as else expected
        compared[name] = {
            "file": path.name,
            **certificate.file_facts(path),
            **certificate.compare(own, logits, labels),
        }
        if name in coded_as:
            compared[name]["from_reference"] = certificate.compare(expected, logits, labels)
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

"""What a network that was exported has become, against the network that it was made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kdprune.analysis.agreement import evaluation
from kdprune.config.schema import Params
from kdprune.data.tensors import load_tensors
from kdprune.deployment import certificate, forms, inputs, runtimes
from kdprune.deployment.bundle import CERTIFICATE
from kdprune.errors import KdpruneError, tell
from kdprune.models import checkpoints, counts
from kdprune.models.metadata import check_statistics
from kdprune.records import read_json
from kdprune.study.latencies import FORMS

# The first that was written is what is shipped; the compressed one loses something
ORDER = ("onnx", "torch", "safetensors", forms.COMPRESSED)
# A folder may come from anybody, and a certificate says what its writer wants
READERS = forms.READERS | {"torch": forms.read_foreign, "openvino": forms.read_openvino}


@dataclass(frozen=True)
class Evaluated:
    """The numbers of `analysis.agreement.evaluation`, with who was compared, and the images on
    which both differ: bytes [N, 3, side, side], each with (label, answer before, answer after),
    what was lost first, and of that the surest first.
    """

    numbers: dict[str, Any]
    images: np.ndarray
    captions: list[tuple[int, int, int]]


def evaluate(
    export: Path,
    *,
    folder: Path,
    settings: Params,
    form: str | None = None,
    runtime: str | None = None,
    against: Path | None = None,
    data: Path | None = None,
) -> Evaluated:
    """Run the files in the folder `export`, as whoever has them would, beside the original.

    That is the checkpoint that the certificate names in the study's `folder`, or `against`. The
    file is of `form`, or the one that `runtime` runs, or the first of ORDER. Raises KdpruneError
    for a folder that is no export, a form that was not written, a runtime that is not installed or
    runs another form, and a network of other classes.
    """
    told = _certificate(export)
    form, read = _reader(export, told["forms"], form, runtime)
    _check_sum(export / forms.FILES[form], told["sums"].get(form))
    original = against or folder / told["source"]
    if not original.is_file():
        raise KdpruneError(f"{original}: is not there; run `dvc pull`, or name it with --against")
    if against is None and certificate.file_facts(original)["sha256"] != told["sha256"]:
        tell(f"{original}: is not the file that {export} was made of any more: it was trained anew")
    model, about = checkpoints.load(original)
    prepared = told["input"]
    place = data or folder / "data" / about.get("dataset", "")
    if about["network"]["classes"] != len(prepared["classes"]):
        raise KdpruneError(f"{original}: answers other classes than {export}; name its original")
    seen = inputs.preprocessing(place, about)  # refuses another data set
    counts.require_modest(model, original)
    shipped = _opened(export / forms.FILES[form], form, read)
    images, given = _images(place, settings), about.get("input") or seen
    before, after = (
        certificate.logits(run, images["test_images"], *_statistics(how))
        for run, how in ((model.requires_grad_(False).eval(), given), (shipped, prepared))
    )
    labels = images["test_labels"].numpy()
    numbers = evaluation(before.numpy(), after.numpy(), labels, prepared["classes"])
    who = {"export": export.name, "form": form, "original": original.name}
    who |= {"runtime": runtime} if runtime else {}
    return Evaluated({**who, **numbers}, *_differing(before, after, images))


def _reader(
    export: Path, written: Sequence[str], form: str | None, runtime: str | None
) -> tuple[str, Callable[[Path], forms.Run]]:
    """Return the form to run, and what opens its file."""
    if runtime:
        runtimes.demand(runtime, "--runtime ")
        runs = FORMS[runtime]
        if form not in (None, runs):
            raise KdpruneError(f"--runtime {runtime}: runs the file of --format {runs}, no {form}")
        form = runs
    form = form or next(name for name in ORDER if name in written)
    if form not in written:
        raise KdpruneError(f"--format {form}: is not in {export}; it has {', '.join(written)}")
    file = export / forms.FILES[form]
    if not file.is_file():  # else the reader of it would tell, at length
        raise KdpruneError(f"{file}: is not there; export again, or name another --format")
    forms.check([form])
    return form, READERS[runtime if runtime == "openvino" else form]


def _opened(file: Path, form: str, read: Callable[[Path], forms.Run]) -> forms.Run:
    """Open a file; a network that is rebuilt from one has maps in proportion to it."""
    run = read(file)
    if form in ("safetensors", forms.COMPRESSED) and isinstance(run, nn.Module):
        counts.require_modest(run, file)
    return run


def _check_sum(file: Path, told: str | None) -> None:
    """Raise KdpruneError for a file that is not the one that its certificate tells of."""
    if told is not None and certificate.file_facts(file)["sha256"] != told:
        raise KdpruneError(
            f"{file}: is not the file that its {CERTIFICATE} tells of (its SHA-256 differs); "
            "export again"
        )


def _certificate(export: Path) -> dict[str, Any]:
    path = export / CERTIFICATE
    try:
        told = read_json(path)
        written = [name for name in told["forms"] if name in forms.FILES]
        source = {"source": str(told["source"]["file"]), "sha256": told["source"]["sha256"]}
        sums = {name: told["forms"][name].get("sha256") for name in written}
        facts = {"forms": written, "sums": sums, **source, "input": told["input"]}
        seen = {name: told["input"][name] for name in ("classes", "mean", "std")}
        if not written:
            raise ValueError("no form")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KdpruneError(
            f"{path}: is no certificate of an export ({type(error).__name__}); name a folder that "
            "`kdprune export` wrote"
        ) from None
    check_statistics(seen, path)
    return facts


def _images(place: Path, settings: Params) -> dict[str, torch.Tensor]:
    split = settings.data.model_dump(include={"validation", "validation_seed"})
    return {name: value.cpu() for name, value in load_tensors(place, **split).items()}


def _statistics(how: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(how["mean"]), torch.tensor(how["std"])


def _differing(
    before: torch.Tensor, after: torch.Tensor, images: Mapping[str, torch.Tensor]
) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    was, now, labels = before.argmax(1), after.argmax(1), images["test_labels"]
    sure = after.softmax(1).amax(1)
    chosen = (was != now).nonzero().flatten().tolist()
    chosen.sort(key=lambda at: (bool(was[at] != labels[at]), -sure[at].item(), at))
    captions = [(int(labels[at]), int(was[at]), int(now[at])) for at in chosen]
    return images["test_images"][chosen].numpy(), captions

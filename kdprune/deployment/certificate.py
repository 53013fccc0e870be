"""Evidence that a network's forms are one network: their logits on the same images, compared."""

import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprune.data.augment import normalise
from kdprune.data.stored import parts
from kdprune.errors import KdpruneError
from kdprune.models import counts
from kdprune.models.composite import ReusedClassifier
from kdprune.pruning.pruned import Pruned

TOLERANCE = 1e-4  # of the largest logit; float32 arithmetic in another order stays far below
BATCH = 256


@torch.no_grad()
def logits(
    run: Callable[[torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    mean: torch.Tensor,
    std: torch.Tensor,
) -> torch.Tensor:
    """Return [N, classes] of a form for bytes [N, 3, H, W], on the CPU.

    The first image goes alone, the others in batches: a form must take batches of any size.
    """
    with parts(images[:1], 1) as first, parts(images[1:], BATCH) as others:
        read = (part for part in chain(first, others) if len(part))
        return torch.cat([run(normalise(part, mean, std)) for part in read])


def compare(reference: torch.Tensor, other: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
    """Return how far logits [N, classes] are from the reference's.

    max_abs_difference; relative_difference, the former over the reference's largest absolute
    logit; top1_differences, on how many images the first class is another; test_accuracy, percent
    of `labels` [N]. Logits of another shape differ infinitely.
    """
    same_shape = other.shape == reference.shape
    gap = (other - reference).abs().max().item() if same_shape else float("inf")
    top = other.argmax(1)
    return {
        "max_abs_difference": gap,
        "relative_difference": gap / max(reference.abs().max().item(), 1e-30),
        "top1_differences": int((top != reference.argmax(1)).sum()),
        "test_accuracy": (top == labels).double().mean().item() * 100,
    }


def by_class(
    logits: torch.Tensor, labels: torch.Tensor, classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Return per class how many images it has, and how many logits [N, classes] tell rightly."""
    right = logits.argmax(1) == labels
    return {
        name: {"images": int((labels == at).sum()), "right": int(right[labels == at].sum())}
        for at, name in enumerate(classes)
    }


def demand_agreement(forms: Mapping[str, Mapping[str, Any]], reference: str) -> None:
    """Raise KdpruneError where a form is not within TOLERANCE of the reference."""
    for name, form in forms.items():
        gap = form["relative_difference"]
        if not gap <= TOLERANCE:  # so written, it refuses what is no number, too
            raise KdpruneError(
                f"export: the {name} form's logits differ from the {reference} network's by "
                f"{gap:.2g} of the largest logit, more than {TOLERANCE:g}; nothing was written"
            )


def file_facts(path: Path) -> dict[str, Any]:
    """Return a file's size, its size after gzip (level 6), and its SHA-256."""
    digest, packer, packed = hashlib.sha256(), zlib.compressobj(6, zlib.DEFLATED, 31), 0
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
            packed += len(packer.compress(part))
    packed += len(packer.flush())
    size = path.stat().st_size
    return {"bytes": size, "gzip_bytes": packed, "sha256": digest.hexdigest()}


def parameters(dense: nn.Module, pruned: Pruned) -> dict[str, int]:
    """Return parameter counts: before pruning, as stored, and without those that masks zeroed.

    SimKD's projector, which published counts leave out, is counted in these and apart as well.
    """
    reused = isinstance(pruned.model, ReusedClassifier)
    inside = counts.parameters(pruned.model.projector) if reused else 0
    masked = sum(
        int((~mask).sum()) for name, mask in pruned.masks.items() if name.startswith("projector.")
    )
    return {
        "dense": counts.parameters(dense),
        "stored": pruned.params,
        "nonzero": pruned.nonzero_params,
        "projector_stored": inside,
        "projector_nonzero": inside - masked,
        "stored_without_projector": pruned.params - inside,
        "nonzero_without_projector": pruned.nonzero_params - (inside - masked),
    }

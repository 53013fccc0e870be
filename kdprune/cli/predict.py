"""kdprune predict: what a checkpoint sees in image files."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdprune.cli.quantities import count
from kdprune.errors import KdpruneError, tell
from kdprune.study import networks
from kdprune.terminal import printable

if TYPE_CHECKING:
    import torch

DESCRIPTION = """\
Classify image files with a checkpoint of the study, pruned by `kdprune export` or not.

Any file that Pillow reads is turned upright, converted to RGB, cropped at the middle to a square,
resized to the network's size (bicubic with antialiasing) and normalised with the training images'
mean and standard deviation. An exported file holds these numbers and the names of the classes. For
the study's own checkpoints, data/DATASET/manifest.json holds them.

A file that is no image is named in one line. The others are answered, and the exit status is 2.
"""
EXAMPLE = """\
example:
  kdprune predict exports/cifar10-resnet10_24-channel-0.2/network.safetensors cat.jpg --top 3
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "predict",
        help="classify image files with a checkpoint",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "network",
        metavar="CHECKPOINT",
        help="a .safetensors or .kdz file, or a network of the study",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path)
    parser.add_argument("--top", type=count, default=3, help="how many classes (default: 3)")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the data set (default: data/DATASET)"
    )
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the study's folder"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print each image's most probable classes; return 2 where an image could not be read.

    Raises KdpruneError where no image can be answered.
    """
    import torch

    from kdprune.data.augment import normalise
    from kdprune.deployment import coded, inputs
    from kdprune.models import checkpoints, counts

    path, _ = networks.checkpoint(given.project, given.network)
    read = coded.load if path.suffix == coded.SUFFIX else checkpoints.load
    model, metadata = read(path)
    counts.require_modest(model, path)
    counts.macs(model)  # refuses a network that does not take such images
    prepared = metadata.get("input")
    if prepared is None or given.data:
        dataset = networks.identity(metadata, path)["dataset"]
        folder = given.data or given.project / "data" / dataset
        prepared = inputs.preprocessing(folder, metadata)
    mean, std = (torch.tensor(prepared[name]) for name in ("mean", "std"))
    size, crop = prepared["shape"][1], prepared.get("crop", 1.0)
    images, bad = readable(given.images, size, crop)
    answers: list[dict[str, Any]] = []
    for image, pixels in images:  # alone: its answer does not depend on what else is asked
        with torch.inference_mode():
            row = model(normalise(pixels.unsqueeze(0), mean, std)).softmax(1)[0]
        if not row.isfinite().all():
            raise KdpruneError(f"{path}: answers {image} with what is no number; it is damaged")
        answers.append({"image": str(image), "top": best(row, prepared["classes"], given.top)})
    if given.json:
        # ASCII alone, whatever the terminal: JSON has escapes for the rest
        print(json.dumps(answers, indent=2).replace("\x7f", "\\u007f"))
    else:
        for answer in answers:
            shares = ", ".join(f"{one['class']} {one['probability']:.1%}" for one in answer["top"])
            print(printable(f"{answer['image']}: {shares}"))
    return 2 if bad else 0


def readable(
    paths: Sequence[Path], size: int, crop: float
) -> tuple[list[tuple[Path, "torch.Tensor"]], int]:
    """Return the images that can be read, with their bytes, and how many cannot; tell of these."""
    images, bad = [], 0
    for path in paths:
        try:
            images.append((path, read(path, size, crop)))
        except KdpruneError as error:
            tell(str(error))
            bad += 1
    return images, bad


def read(path: Path, size: int, crop: float) -> "torch.Tensor":
    """Return an image file as bytes [3, size, size]. Raises KdpruneError where Pillow fails."""
    import torch

    from kdprune.data.augment import centred
    from kdprune.sources import pictures

    pixels = torch.from_numpy(pictures.read(path, round(size / crop)))
    return centred(pixels.permute(2, 0, 1), size)


def best(probabilities: "torch.Tensor", classes: list[str], top: int) -> list[dict[str, Any]]:
    """Return the `top` most probable of `classes` (all, where there are fewer)."""
    values, indices = probabilities.topk(min(top, len(classes)))
    pairs = zip(values.tolist(), indices.tolist(), strict=True)
    return [
        {"class": classes[index], "index": index, "probability": value} for value, index in pairs
    ]

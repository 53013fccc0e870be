"""kdprune compress: from a trained network and a folder of images to a smaller network."""

import argparse
import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdprune.cli.quantities import milliseconds, params, points, resolved, size, three, words
from kdprune.errors import KdpruneError
from kdprune.running import group
from kdprune.study.latencies import AGAIN, FORMS, NAMES

if TYPE_CHECKING:
    from kdprune.study.commission import Order

PRUNINGS = ("channel", "weight", "both")
DROP = "of validation accuracy that may be lost (1.0)"
DESCRIPTION = """\
Make a trained network smaller on your images, and write it as files to ship, with a certificate.

NETWORK is a file of weights: a state dict (.pt, .pth, .safetensors) or a checkpoint of kdprune. Its
architecture is recognised. NETWORK can also be the name of a network, which is then trained first.
IMAGES is a folder with a folder of images per class, divided in train/ and test/ or not. The
command makes a study of its own in --out and runs it; you can work on there.

Without --teacher and --student, the network itself is pruned to several levels, and fine-tuned to
answer as it did before. With --student, that network first learns from NETWORK (SimKD), and is then
pruned. With --teacher, NETWORK first learns from that one, and is then pruned.

The smallest network within the limits is chosen. With --max-params, --max-bytes or --max-latency,
it is the most accurate one on validation images. Test images never choose; they only report.
--max-bytes is of each file that is written, safetensors and ONNX, as it lies on the disk. The time
is that of one image in ONNX Runtime or in --runtime, and what that runs is what is written.
"""
EXAMPLE = """\
examples:
  kdprune compress flowers.pth photos/ --out small
  kdprune compress flowers.pth photos/ --max-drop 2 --max-params 3M --prune both --out small
  kdprune compress flowers.pth photos/ --student mobilenetv2_100 --out smaller

After Ctrl-C, the same command continues. With other limits, it answers from what it has.
Exit status 1: no network is within the limits; the nearest one is named.
"""


def add(commands: Any) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "compress",
        help="make a trained network smaller, on your images",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", metavar="NETWORK", help="a file of weights, or a name")
    parser.add_argument("images", metavar="IMAGES", type=Path, help="a folder of images by class")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="the study's folder, new or not"
    )
    parser.add_argument("--max-drop", type=points, default=1.0, metavar="POINTS", help=DROP)
    parser.add_argument("--max-params", type=params, metavar="N", help="such as 200k or 2M")
    parser.add_argument("--max-bytes", type=size, metavar="SIZE", help="such as 500k or 5M")
    parser.add_argument("--max-latency", type=milliseconds, metavar="TIME", help="such as 5ms")
    parser.add_argument("--runtime", choices=NAMES, help="what will run the network (onnx)")
    parser.add_argument(
        "--prune", choices=PRUNINGS, default=PRUNINGS[0], help="what goes: filters or weights"
    )
    parser.add_argument(
        "--round-to", type=int, metavar="N", help="filters stay in multiples (8, if levels allow)"
    )
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--teacher", metavar="NETWORK", help="whom it learns from first")
    other.add_argument("--student", metavar="NETWORK", help="who takes its place")
    told = parser.add_argument_group("what is known of NETWORK's file")
    told.add_argument("--architecture", metavar="NAME", help="its network, by timm's name")
    told.add_argument("--classes", type=words, metavar="A,B,…", help="its outputs, in order")
    told.add_argument("--new-head", action="store_true", help="train a new last layer")
    told.add_argument("--mean", type=three, metavar="R,G,B", help="(the network's, by timm)")
    told.add_argument("--std", type=three, metavar="R,G,B", help="(the network's, by timm)")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="of the images (their own)")
    parser.add_argument(
        "--epochs", type=int, default=20, help="of training; a quarter to tune (20)"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Compose, run and answer; return 1 where nothing is within the limits."""
    from kdprune.study import commission

    order = _order(given)
    formats = _formats(given.runtime)
    told = "goes on" if commission.write(given.out, order) else "composed"
    print(f"kdprune: {given.out}: {told}; {order.network.told or given.network}", file=sys.stderr)
    begun = time.monotonic()
    if status := _study(given.out, given.runtime):
        return status
    from kdprune.cli import answering

    return answering.answer(given, formats, time.monotonic() - begun)


def _formats(runtime: str | None) -> list[str]:
    """Return the forms to write. Raises KdpruneError where what `runtime` needs is not here."""
    from kdprune.deployment import forms, runtimes

    if runtime:
        runtimes.demand(runtime, "--runtime ")
        return ["safetensors", FORMS[runtime]]
    try:
        forms.check(["onnx"])
    except KdpruneError as error:
        print(f"kdprune: no ONNX file will be written: {error}", file=sys.stderr)
        return ["safetensors"]
    return ["safetensors", "onnx"]


def _order(given: argparse.Namespace) -> "Order":
    """Check all that was given, and return it. Raises KdpruneError before any work."""
    from kdprune.sources import folder, pictures
    from kdprune.study import commission
    from kdprune.study.given import source

    if (given.mean is None) != (given.std is None):
        raise KdpruneError("--mean and --std: go together, three numbers each, for values in 0..1")
    if given.epochs < 1 or not (given.size is None or 8 <= given.size <= 512):
        raise KdpruneError("--epochs: from 1; --size: from 8 to 512 pixels")
    if given.round_to is not None and (given.prune == "weight" or not 1 <= given.round_to <= 1024):
        raise KdpruneError(
            "--round-to: from 1 to 1024, and of --prune channel or both: weight pruning removes no "
            "filters"
        )
    if given.max_bytes is not None and given.prune == "weight" and not given.student:
        raise KdpruneError(
            "--max-bytes: weight pruning leaves files as large, as zeros are stored like other "
            "weights; use --prune channel or both"
        )
    images = resolved("IMAGES", given.images)
    if resolved("--out", given.out).is_relative_to(images):
        raise KdpruneError(f"--out {given.out}: lies among the images; name a folder elsewhere")
    files = folder.files(images)
    folder.check(files, images)
    classes = list(next(iter(files.values())))
    train = next(iter(files.values()))
    whole = sum(len(held) for held in train.values())
    stated = {name: getattr(given, name) for name in ("classes", "mean", "std")}
    stated |= {"head": "new" if given.new_head else None}
    network = source(
        given.network,
        classes,
        where="NETWORK",
        architecture=given.architecture,
        stated={name: value for name, value in stated.items() if value is not None},
    )
    role = "teacher" if given.teacher else "student" if given.student else ""
    other = given.teacher or given.student
    order = commission.Order(
        images,
        given.size or network.size or pictures.usual_size(chain(*train.values())),
        whole if len(files) > 1 else round(whole * (1 - folder.TEST)),
        network,
        given.prune,
        given.epochs,
        given.max_drop,
        source(other, classes, where=f"--{role}") if other else None,
        role,
    )
    if given.prune == "weight":
        return order
    from kdprune.study import widths

    return replace(order, round_to=widths.block(order, len(classes), given.round_to))


def _study(folder: Path, runtime: str | None) -> int:
    """Run the study; time its networks again where an earlier run did not in `runtime`."""
    from kdprune.deployment.runtimes import ON_REQUEST, VARIABLE
    from kdprune.study import latencies

    asked = {VARIABLE: runtime} if runtime in ON_REQUEST else {}
    status = _run(["kdprune", "run"], folder, asked)
    if not status and runtime and runtime not in latencies.measured(folder):
        status = _run(AGAIN.split(), folder, asked)
    return status


def _run(command: list[str], folder: Path, variables: dict[str, str]) -> int:
    """Run a command in a process of its own, its progress on stderr; it ends when we do."""
    try:
        return group.run(command, folder, variables, sys.stderr)
    except KeyboardInterrupt:
        print("kdprune: the same command goes on", file=sys.stderr)
        raise

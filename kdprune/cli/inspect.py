"""kdprune inspect: what a checkpoint is, from its header alone."""

import argparse
import json
from pathlib import Path
from typing import Any

from kdprune.study import networks
from kdprune.terminal import printable

DESCRIPTION = """\
Tell what a checkpoint is: one of the study's, or one that `kdprune export` wrote.

Only the file's header is read, not its weights. It names the network and every tensor's shape.
"""
EXAMPLE = """\
terms:
  encoder       the network without its last linear layer and without a distiller's projector
  prunable      weights of convolutions and linear layers; biases and batch norm are not
  dead weights  share of convolution weights that meet zero padding only, whatever the image

example:
  kdprune inspect models/students/cifar10-resnet10_24-resnet10_16-simkd.safetensors
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "inspect",
        help="tell what a checkpoint is",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "network",
        metavar="CHECKPOINT",
        help="a .safetensors or .kdz file, or a network of the study",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the study's folder"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print what the file says. Raises KdpruneError where it is no checkpoint of ours."""
    path, _ = networks.checkpoint(given.project, given.network)
    facts = describe(path)
    if given.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, text in lines(facts):
            print(f"{name:13} {printable(text)}")
    return 0


def describe(path: Path) -> dict[str, Any]:
    """Return a checkpoint's facts: what it is, its counts, its size, and how it was pruned."""
    from kdprune.deployment import coded
    from kdprune.models import checkpoints, counts
    from kdprune.models.building import side_of

    forms: list[str] = []
    if path.suffix == coded.SUFFIX:
        model, metadata, shapes = coded.outline(path)
        forms = coded.forms(path)
    else:
        model, metadata, shapes = checkpoints.outline(path)
    network = metadata["network"]
    parts = {"encoder": 0, "projector": 0}
    parts["classifier"] = counts.parameters(model.get_classifier())
    if metadata.get("projector"):
        parts["projector"] = counts.parameters(model.projector)
    total = counts.parameters(model)
    parts["encoder"] = total - parts["projector"] - parts["classifier"]
    weights = sum(layer.weight.numel() for layer in counts.prunable(model).values())
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "size": side_of(model),
        "tensors": len(shapes),
        "forms": forms,
        "dataset": metadata.get("dataset", ""),
        "role": metadata.get("role", ""),
        "teacher": metadata.get("teacher", ""),
        "student": metadata.get("student", ""),
        "distill": metadata.get("distill", ""),
        "seed": metadata.get("seed"),
        "timm_name": network.get("timm_name"),
        "kwargs": network.get("kwargs") or {},
        "stem": network.get("stem", "imagenet"),
        "classes": network["classes"],
        "projector": metadata.get("projector"),
        "params": {"total": total, "prunable": weights, **parts},
        "macs": counts.macs(model),
        "dead_share": counts.dead_share(model),
        "pruned": metadata.get("pruned"),
    }


def lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the facts as (name, text), for people."""
    params, pruned, projector = facts["params"], facts["pruned"], facts["projector"]
    arguments = ", ".join(f"{name}={value}" for name, value in facts["kwargs"].items())
    study = facts["dataset"] or "an unnamed data set"
    who = f"{facts['role'] or 'network'} {facts['student'] or facts['teacher']}".strip()
    if facts["role"] == "student":
        who += f", distilled from {facts['teacher']} by {facts['distill']}"
    texts = [
        ("file", facts["file"]),
        ("network", f"{who}, on {study} ({facts['classes']} classes)"),
        ("architecture", f"timm {facts['timm_name']}({arguments}), {facts['stem']} stem"),
    ]
    coded = f", compressed: {', '.join(facts['forms'])}" if facts["forms"] else ""
    if projector:
        shape = f"{projector['out_channels']} channels, factor {projector['factor']}"
        texts.append(("projector", f"{shape}, then {projector['last']}"))
    each = ", ".join(f"{part} {params[part]:,}" for part in ("encoder", "projector", "classifier"))
    texts += [
        ("parameters", f"{params['total']:,} ({each}); prunable {params['prunable']:,}"),
        ("multiply-adds", f"{facts['macs']:,} for one image of {facts['size']} x {facts['size']}"),
        ("dead weights", f"{facts['dead_share']:.1%} of the convolution weights"),
        ("on disk", f"{facts['bytes']:,} bytes, {facts['tensors']} tensors{coded}"),
    ]
    if pruned:
        form = "channels removed" if pruned["removed"] else "weights zeroed in place"
        if not pruned["sparsity"]:
            form = "nothing removed, fine-tuned"
        texts.append(
            (
                "pruned",
                f"{pruned['method']} at level {pruned['level']:g} ({form}): "
                f"{pruned['sparsity']:.1%} of the prunable weights, {pruned['nonzero_params']:,} "
                f"of {pruned['dense_params']:,} parameters left; fine-tuned with seed "
                f"{pruned['seed']}",
            )
        )
    else:
        texts.append(("pruned", "no"))
    return texts

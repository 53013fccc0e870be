"""kdprune export: a network at a pruning level as files to deploy, with a certificate."""

import argparse
import sys
from pathlib import Path
from typing import Any

from kdprune.errors import KdpruneError
from kdprune.study import networks
from kdprune.study.sizes import CODINGS, DEFAULT_CODING

SEED = 0  # the first of the sweep's
DESCRIPTION = """\
Prune a trained network as the study did, and write it as files to deploy.

The network is pruned to --level, or to its --breakpoint: the last level before the first that costs
more accuracy than params.yaml tolerates (from metrics/breakpoints.csv). It is fine-tuned with the
first seed of the sweep, by the same functions and parameters, so its accuracy is that of the sweep.
certificate.json holds both numbers. README.md is a model card in Hugging Face's format.

methods   channel: filters are cut out; the network is smaller, and dense
          weight: weights are zeroed; the shapes stay, and so does the speed of dense kernels
formats   safetensors: rebuilt by `kdprune predict` and kdprune.models.load, without pickle
          torch: a torch.export program (.pt2), run with torch alone
          onnx: for ONNX Runtime and others (pip install onnx onnxruntime onnxscript)
          compressed: by Deep Compression, read by `kdprune predict`, or with numpy alone
          (docs/how-to/ship.md). Under --coding shared8, a fifth of the bytes or so: weights share
          2^8 values, gaps and codes are Huffman-coded. int8: steps of 8 bits; float32: plain
          numbers, without the zeros. What loses something has its own accuracy in the certificate

All take float images [N, 3, side, side]; certificate.json says how they are normalised. Every file
is read back and run on all test images. Where one disagrees with the network by more than 1e-4 of
the largest logit, nothing is written.
"""
EXAMPLE = """\
examples:
  kdprune export cifar10-resnet10_24-channel --breakpoint --format safetensors,torch,onnx
  kdprune export models/students/cifar10-resnet10_24-resnet10_16-simkd.safetensors \\
      --method weight --level 0.5 --out exports/small
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "export",
        help="write a network, pruned to a level, as safetensors, torch.export or ONNX",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "network",
        metavar="KEY_OR_CHECKPOINT",
        help="a network or sweep of the study (cifar10-resnet10_24[-channel]), or a checkpoint",
    )
    parser.add_argument(
        "--method",
        help="how it is pruned, as prune.method names it (default: the key's, else channel)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--level", type=level, help="share of the weights to remove, 0 to 1")
    where.add_argument("--breakpoint", action="store_true", help="at the breakpoint (default)")
    where.add_argument(
        "--as-trained", action="store_true", help="the checkpoint itself, neither pruned nor tuned"
    )
    parser.add_argument(
        "--format",
        default="safetensors",
        metavar="FORMATS",
        help="safetensors, torch, onnx, compressed, several with commas (default: safetensors)",
    )
    parser.add_argument(
        "--coding",
        choices=CODINGS,
        metavar="CODING",
        help="of the compressed form: float32, int8, shared2 to shared8 (default: shared8)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="default: exports/NETWORK-METHOD-LEVEL"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the images (default: data/DATASET)"
    )
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the study's folder"
    )
    parser.set_defaults(run=run)


def level(text: str) -> float:
    """Read a share of weights, 0 <= level < 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share of weights; write 0 to 0.99")
    return value


def run(given: argparse.Namespace) -> int:
    """Export; print what was written. Raises KdpruneError for whatever the user can mend."""
    from kdprune.config import params
    from kdprune.deployment import bundle, forms
    from kdprune.deployment.prepared import as_trained, prepare

    names = list(dict.fromkeys(part.strip() for part in given.format.split(",")))
    forms.check(names)
    if given.coding and forms.COMPRESSED not in names:
        raise KdpruneError(f"--coding {given.coding}: is for --format compressed; add this form")
    checkpoint, method = networks.checkpoint(given.project, given.network)
    if method and given.method and method != given.method:
        raise KdpruneError(f"--method {given.method}: {given.network} names the method {method}")
    if given.out:
        bundle.check_target(given.out)
    if given.as_trained and given.method:
        raise KdpruneError("--as-trained: prunes by no --method; give one of the two")
    study = {"folder": given.project, "data": given.data}
    study["settings"] = params.load(given.project / "params.yaml")
    if given.as_trained:
        made, name = as_trained(checkpoint, **study), "trained"
    else:
        method = given.method or method or "channel"
        made = prepare(checkpoint, method=method, level=given.level, seed=SEED, **study)
        how = made.metadata["pruned"]
        name = f"{how['method']}-{how['level']:g}"
    out = given.out or given.project / "exports" / f"{made.key}-{name}"
    report(out, bundle.write(made, out, names, given.coding or DEFAULT_CODING), names)
    return 0


def _distance(form: dict[str, Any]) -> str:
    """Say how far a form is from the network that was to be written."""
    if "coding" not in form:
        return f"logits within {form['max_abs_difference']:.1e}"
    changed = form["from_reference"]["top1_differences"]
    return f"{form['coding']}: another first class on {changed:,} images"


def report(out: Path, certificate: dict[str, Any], names: list[str]) -> None:
    """Print what was written, and warn where the sweep's own number is another."""
    counts, forms = certificate["parameters"], certificate["forms"]
    images = certificate["images"]["count"]
    accuracy = forms[certificate["reference"]]["test_accuracy"]
    print(
        f"{out}: {counts['nonzero']:,} of {counts['dense']:,} parameters left, "
        f"{counts['stored']:,} stored; test {accuracy:.2f} % on {images:,} images"
    )
    for name in names:
        form = forms[name]
        print(
            f"  {form['file']:22} {form['bytes']:>10,} bytes, {form['gzip_bytes']:>10,} gzipped; "
            f"test {form['test_accuracy']:.2f} %, {_distance(form)}"
        )
    print("  certificate.json, README.md (a model card)")
    sweep = certificate["sweep"]
    if sweep is None:
        print("kdprune: note: the study has no row of this level to compare with", file=sys.stderr)
    elif not sweep["equal"]:
        print(
            f"kdprune: warning: test {accuracy:.2f} % here, {sweep['test_accuracy']:.2f} % in "
            f"{sweep['file']}: the checkpoint, the images, the parameters or the machine are "
            "others; `dvc status` tells which files changed",
            file=sys.stderr,
        )

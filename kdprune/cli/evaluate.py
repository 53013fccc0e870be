"""kdprune evaluate: what an exported network has become, class by class, against the original."""

import argparse
import json
from pathlib import Path
from typing import Any

from kdprune.study.latencies import NAMES
from kdprune.terminal import printable

DESCRIPTION = """\
Run an exported network on the test images beside the network that it was made of.

Pruning that keeps the mean accuracy may ruin one class. The command tells the accuracy of both
networks, with a paired interval of the difference; the accuracy of each class; the images that both
answer differently; and how far confidence is from accuracy (expected calibration error). It writes
three files into the export's folder or --out: evaluation.md, to read; evaluation.json, with the
confusion matrices of both, and of one's answers against the other's; disagreements.png, the images.

It runs the exported file itself, as anybody who has the file would run it.
"""
EXAMPLE = """\
examples:
  kdprune evaluate exports/cifar10-resnet10_24-channel-0.3
  kdprune evaluate exports/small --against models/teachers/cifar10-resnet10_24.safetensors
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "evaluate",
        help="compare an exported network with its original, class by class",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("export", type=Path, metavar="DIR", help="what `kdprune export` wrote")
    parser.add_argument(
        "--format",
        help="which file: onnx, torch, safetensors, compressed (default: the first there is)",
    )
    parser.add_argument(
        "--runtime", choices=NAMES, help="what runs it (default: ONNX Runtime, of an ONNX file)"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKPOINT",
        help="the original (default: the checkpoint that the export was made of)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the images (default: data/DATASET)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where to write (default: the export's folder)"
    )
    parser.add_argument("--json", action="store_true", help="print evaluation.json, for programs")
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the study's folder"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Evaluate; print the summary, write the files. Raises KdpruneError for what can be mended."""
    from kdprune.config import params
    from kdprune.deployment import evaluation, sheet
    from kdprune.deployment.bundle import EVALUATED, require_folder
    from kdprune.records import write_json
    from kdprune.reporting.sections import evaluation as document

    out_folder = given.out or given.export
    require_folder(out_folder / EVALUATED["numbers"])
    made = evaluation.evaluate(
        given.export,
        folder=given.project,
        settings=params.load(given.project / "params.yaml"),
        form=given.format,
        runtime=given.runtime,
        against=given.against,
        data=given.data,
    )
    out = {kind: out_folder / name for kind, name in EVALUATED.items()}
    write_json(out["numbers"], made.numbers)
    classes = [row["class"] for row in made.numbers["classes"]]
    if made.captions:
        sheet.write(out["sheet"], made.images, made.captions, classes)
    else:
        out["sheet"].unlink(missing_ok=True)
    document.write(made.numbers, out["text"], out["sheet"] if made.captions else None)
    if given.json:
        print(json.dumps(made.numbers, indent=2))
    else:
        report(made.numbers, document.said(made.numbers), out, bool(made.captions))
    return 0


def report(numbers: dict[str, Any], lines: list[str], out: dict[str, Path], pictures: bool) -> None:
    """Print the sentences, and what was written."""
    for line in lines:
        print(printable(line))
    written = [out["text"], out["numbers"], *([out["sheet"]] if pictures else [])]
    print("written: " + ", ".join(printable(path) for path in written))

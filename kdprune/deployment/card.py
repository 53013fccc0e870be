"""An export's model card, in the format that Hugging Face reads: README.md beside the files."""

import json
from collections.abc import Mapping
from typing import Any

from kdprune.deployment.intervals import wilson
from kdprune.records import network

CARD = "README.md"
TASK = "image-classification"


def write(certificate: Mapping[str, Any]) -> str:
    """Return the card of an export as Markdown, from its certificate."""
    return (
        "\n\n".join(
            [
                _head(certificate),
                f"# {_name(certificate)}",
                _what(certificate),
                "## Accuracy\n\n" + _accuracy(certificate),
                "## Size\n\n" + _size(certificate),
                "## How it was made\n\n" + _made(certificate),
                "## Use it\n\n" + _code(certificate),
                "## Licence\n\n" + LICENCE,
            ]
        )
        + "\n"
    )


LICENCE = (
    "kdprune's code is under the MIT licence. No licence is stated for the weights: they follow "
    "from the training images and, where there was one, from the teacher. Put yours into "
    "`license:` at the top of this file before you publish it."
)


def _name(certificate: Mapping[str, Any]) -> str:
    who, how = certificate["network"], certificate["pruned"]
    return f"{who['dataset']}-{network(who)}-{how['method'] if how else 'trained'}"


def _head(certificate: Mapping[str, Any]) -> str:
    accuracy = certificate["forms"][certificate["reference"]]["test_accuracy"]
    dataset = json.dumps(certificate["network"]["dataset"])  # YAML reads JSON's words
    return "\n".join(
        [
            "---",
            "license: unknown",
            f"pipeline_tag: {TASK}",
            "library_name: kdprune",
            f"datasets: [{dataset}]",
            "metrics: [accuracy]",
            "tags: [pruning, knowledge-distillation, model-compression]",
            "model-index:",
            f"- name: {json.dumps(_name(certificate))}",
            "  results:",
            f"  - task: {{type: {TASK}}}",
            f"    dataset: {{name: {dataset}, type: {dataset}, split: test}}",
            f"    metrics: [{{type: accuracy, value: {accuracy / 100:.4f}}}]",
            "---",
        ]
    )


def _what(certificate: Mapping[str, Any]) -> str:
    who, how, sizes = (certificate[name] for name in ("network", "pruned", "parameters"))
    origin = f"a {who['teacher']}"
    if who["student"]:
        by = who["distill"]
        taught = f"distilled by {by} from {who['teacher']}"
        alone = f"trained without a teacher (its pair has the teacher {who['teacher']})"
        origin = f"a {who['student']}, {alone if by == 'none' else taught}"
    if how is None:
        return f"This image classifier is {origin}, as it was trained: not pruned."
    share = 100 * sizes["nonzero"] / sizes["dense"]
    place = ", the breakpoint that the study found" if how["at_breakpoint"] else ""
    effect = "whole channels are removed" if how["removed"] else "single weights are zero"
    return (
        f"This image classifier is {origin}. It was pruned by the method `{how['method']}` to "
        f"level {how['level']:g}{place}: {effect}, and {share:.1f} % of the parameters are left."
    )


def _accuracy(certificate: Mapping[str, Any]) -> str:
    form, count = certificate["forms"][certificate["reference"]], certificate["images"]["count"]
    accuracy = form["test_accuracy"]
    low, high = wilson(accuracy, count)
    lines = [
        f"**{accuracy:.2f} %** on {count:,} test images (95 % interval {low:.1f} to {high:.1f}, "
        "Wilson). The interval does not include variation between training runs.",
        "",
        "| class | images | right | 95 % interval |",
        "|---|---:|---:|---|",
    ]
    for name, row in certificate["classes"].items():
        if row["images"]:
            share = 100 * row["right"] / row["images"]
            ends = wilson(share, row["images"])
            shown = name.replace("|", "\\|")
            lines.append(
                f"| {shown} | {row['images']:,} | {share:.1f} % | {ends[0]:.1f} to {ends[1]:.1f} |"
            )
    return "\n".join(lines)


def _size(certificate: Mapping[str, Any]) -> str:
    sizes, macs = certificate["parameters"], certificate["macs"]
    lines = ["| | before | now |", "|---|---:|---:|"]
    lines.append(f"| parameters that are not zero | {sizes['dense']:,} | {sizes['nonzero']:,} |")
    lines.append(f"| parameters stored | {sizes['dense']:,} | {sizes['stored']:,} |")
    lines.append(f"| multiply-adds per image | {macs['dense']:,} | {macs['pruned']:,} |")
    lines += ["", "| file | bytes | gzipped |", "|---|---:|---:|"]
    files = [form for form in certificate["forms"].values() if "file" in form]
    lines += [f"| {form['file']} | {form['bytes']:,} | {form['gzip_bytes']:,} |" for form in files]
    told = (
        "Latency depends on the machine: `dvc repro --force --single-item measure` measures yours."
    )
    return "\n".join([*lines, "", told])


def _made(certificate: Mapping[str, Any]) -> str:
    how, versions = certificate["pruned"], certificate["versions"]
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    said = "Written as it was trained. "
    if how:
        tuned = how["finetune"]
        said = (
            f"Pruned by `{how['method']}` ({_plain(how['hyperparameters'])}), then fine-tuned for "
            f"{tuned['epochs']} epochs ({_plain(tuned)}), seed {how['seed']}. "
        )
    return (
        f"{said}Every file was read back and run on all test images; `certificate.json` holds what "
        f"came out, and the SHA-256 of each file. Versions: {listed}."
    )


def _plain(settings: Mapping[str, Any]) -> str:
    told = [f"{name} {value}" for name, value in settings.items() if value is not None]
    return ", ".join(told) or "no settings"


LOADED = {  # the first form that is there is the one shown
    "safetensors": (
        "from kdprune import models",
        'network, described = models.load("network.safetensors")',
    ),
    "torch": ("import torch", 'network = torch.export.load("network.pt2").module()'),
    "onnx": (
        "import onnxruntime",
        'session = onnxruntime.InferenceSession("network.onnx")',
        'network = lambda images: session.run(None, {"images": images.numpy()})[0]',
    ),
}


def _code(certificate: Mapping[str, Any]) -> str:
    given = certificate["input"]
    mean, std = ([round(value, 4) for value in given[name]] for name in ("mean", "std"))
    side = given["shape"][1]
    form = next((name for name in LOADED if name in certificate["forms"]), None)
    if form is None:
        return "From the command line: `kdprune predict network.kdz cat.jpg`."
    lines = [
        f"Images are RGB, {side} by {side} pixels, normalised by {given['values']} with "
        f"mean {mean} and std {std}.",
        "",
        "```python",
        *LOADED[form],
        f"logits = network(images)  # float [N, 3, {side}, {side}] -> [N, {len(given['classes'])}]",
        "```",
    ]
    if form == "safetensors":
        lines += ["", "From the command line: `kdprune predict network.safetensors cat.jpg`."]
    return "\n".join(lines)

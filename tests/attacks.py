"""Checkpoints that lie: real files, written without kdprune, as someone else could send them."""

import json
import os
import pickle
from pathlib import Path

import torch
from networks import TINY, tiny
from safetensors.torch import save

NAME, KWARGS = TINY["basic"]
NETWORK = {"timm_name": NAME, "classes": 10, "stem": "imagenet", "kwargs": KWARGS}
INPUT = {
    "shape": [3, 32, 32],
    "colour": "RGB",
    "values": "(byte / 255 - mean) / std",
    "classes": [f"class{label}" for label in range(10)],
    "mean": [0.45, 0.46, 0.47],
    "std": [0.25, 0.26, 0.27],
}
WHO = {"dataset": "cifar10", "role": "teacher", "teacher": "resnet10_24"}
GOOD = {"network": NETWORK, "seed": 1, "student": "", "distill": "", "input": INPUT, **WHO}
PRUNED = {
    "method": "weight",
    "hyperparameters": {"scope": "layer"},
    "level": 0.5,
    "at_breakpoint": False,
    "seed": 0,
    "finetune": {"scope": "head", "lr": 0.01},
    "batchnorm": {"re_estimate": True, "images": 64},
    "removed": False,
    "ratio": 0.5,
    "sparsity": 0.5,
    "dense_params": 100,
    "nonzero_params": 60,
}
PROJECTOR = {"out_channels": 16, "factor": 2, "last": "relu"}


class Writes:
    """What a pickle may do when it is loaded without care: it makes a folder, as evidence."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def pickled(path: Path, marker: Path) -> Path:
    path.write_bytes(pickle.dumps(Writes(marker)))
    return path


def state(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    return {**tiny("basic").state_dict(), **changed}


def write(path: Path, metadata: object, tensors: dict | None = None) -> Path:
    """Write a safetensors file; `metadata` a text, or what becomes one."""
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    path.write_bytes(save(tensors or state(), metadata={"kdprune": text}))
    return path


def network(**changed: object) -> dict:
    return {**GOOD, "network": {**NETWORK, **changed}}


def arguments(**changed: object) -> dict:
    return network(kwargs={**KWARGS, **changed})


def lies(pickle_file: Path) -> list[tuple[str, object]]:
    """Metadata that are refused, by a word for each."""
    address = pickle_file.as_uri()
    overlay = {"url": address, "hf_hub_id": None, "custom_load": False}
    nested = "[" * 20_000 + "]" * 20_000
    image = {name: {**INPUT, name: value} for name, value in BAD_INPUT.items()}
    return [
        ("pretrained", network(pretrained=True)),
        ("overlay", {**network(pretrained=True, kwargs={"pretrained_cfg_overlay": overlay})}),
        ("overlay alone", arguments(pretrained_cfg_overlay=overlay)),
        ("config", arguments(pretrained_cfg=overlay, pretrained=True)),
        ("config file", arguments(pretrained_cfg={"file": str(pickle_file)})),
        ("checkpoint", arguments(checkpoint_path=str(pickle_file))),
        ("cache", arguments(cache_dir=str(pickle_file.parent))),
        ("features", arguments(features_only=True)),
        ("device", arguments(device="cuda")),
        ("dtype", arguments(dtype="float64")),
        ("scriptable", arguments(scriptable=True)),
        ("exportable", arguments(exportable=True)),
        ("no_jit", arguments(no_jit=True)),
        ("pruned argument", arguments(pruned=True)),
        ("classes argument", arguments(num_classes=5)),
        ("unknown argument", arguments(evil=1)),
        ("no channels", arguments(channels=[0, 0, 0, 0])),
        ("address as a value", arguments(act_layer=address)),
        ("path as a value", arguments(act_layer="/etc/passwd")),
        ("path in a list", arguments(layers=[1, "../../x"])),
        ("mapping as a value", arguments(layers={"a": 1})),
        ("seed argument", network(seed=3)),
        ("hub name", network(timm_name="hf-hub:someone/model")),
        ("folder name", network(timm_name=f"local-dir:{pickle_file.parent}")),
        ("unknown name", network(timm_name="resnet_18")),
        ("no name", {**GOOD, "network": {"classes": 10}}),
        ("stem", network(stem="/etc/passwd")),
        ("many classes", network(classes=20_000_000)),
        ("some classes more", network(classes=100_000)),
        ("no classes", network(classes=0)),
        ("classes as text", network(classes="10")),
        ("classes true", network(classes=True)),
        ("many layers", arguments(layers=[10**7])),
        ("many layers, in range", arguments(layers=[25_000] * 4)),
        ("wide layers", arguments(channels=[20_000] * 4)),
        ("wide stem", arguments(stem_width=100_000, stem_type="deep")),
        ("huge image", arguments(img_size=100_000)),
        ("huge number", arguments(layers=[10**400])),
        ("infinite", json.dumps(arguments(drop_rate=0.5)).replace("0.5", "1e999", 1)),
        ("no number", json.dumps(GOOD).replace("0.45", "NaN")),
        ("infinity", json.dumps(GOOD).replace("0.45", "-Infinity")),
        ("long list", arguments(layers=[1] * 1000)),
        ("deep list", arguments(layers=[[[[[1]]]]])),
        ("deep text", f'{{"network": {nested}}}'),
        ("deep arguments", f'{{"network": {{"timm_name": "resnet18", "kwargs": {nested}}}}}'),
        ("no JSON", "{"),
        ("digits", "9" * 10_000),
        ("twice", '{"network": {}, "network": {}}'),
        ("list", [1, 2]),
        ("null", None),
        ("network null", {"network": None}),
        ("unknown part", {**GOOD, "run": "rm"}),
        ("pruned 5", {**GOOD, "pruned": 5}),
        ("pruned empty", {**GOOD, "pruned": {}}),
        ("pruned level", {**GOOD, "pruned": {**PRUNED, "level": 7.0}}),
        ("pruned method", {**GOOD, "pruned": {**PRUNED, "method": "../x"}}),
        ("input empty", {**GOOD, "input": {}}),
        ("input list", {**GOOD, "input": []}),
        *((f"input {name}", {**GOOD, "input": value}) for name, value in image.items()),
        ("factor 0", {**GOOD, "projector": {**PROJECTOR, "factor": 0}}),
        ("factor negative", {**GOOD, "projector": {**PROJECTOR, "factor": -2}}),
        ("channels", {**GOOD, "projector": {**PROJECTOR, "out_channels": 10**9}}),
        ("last", {**GOOD, "projector": {**PROJECTOR, "last": "eval"}}),
        ("projector text", {**GOOD, "projector": "x"}),
        ("teacher climbs", {**GOOD, "teacher": "/../../../x"}),
        ("dataset climbs", {**GOOD, "dataset": "../../x"}),
        ("student climbs", {**GOOD, "student": "..\\x"}),
        ("distill climbs", {**GOOD, "distill": "a/b"}),
        ("role", {**GOOD, "role": "admin"}),
        ("name ends a line", {**GOOD, "teacher": "x\n"}),
        ("escape as a name", {**GOOD, "teacher": "\x1b[2J"}),
        ("seed", {**GOOD, "seed": -1}),
    ]


BAD_INPUT = {
    "std": [0.0, 0.1, 0.1],
    "mean": [7.0, 0.1, 0.1],
    "shape": [3, 10**6, 10**6],
    "classes": ["one"],
    "colour": "BGR",
}


def damaged() -> list[tuple[str, dict]]:
    """Tensors that do not belong under good metadata."""
    whole = state()
    bias, weight = whole["fc.bias"], whole["conv1.weight"]
    return [
        ("NaN weight", {**whole, "fc.bias": torch.full_like(bias, float("nan"))}),
        ("infinite weight", {**whole, "conv1.weight": torch.full_like(weight, float("inf"))}),
        ("whole numbers", {**whole, "fc.bias": bias.to(torch.int32)}),
        ("boolean", {**whole, "fc.bias": bias > 0}),
        ("half", {**whole, "fc.bias": bias.half()}),
        ("complex", {**whole, "fc.bias": bias.to(torch.complex64)}),
        ("another kernel", {**whole, "conv1.weight": torch.zeros(8, 3, 90, 90)}),
        ("flat", {**whole, "conv1.weight": weight.flatten()}),
        ("wider", {**whole, "fc.bias": torch.zeros(11)}),
        ("empty", {**whole, "fc.bias": torch.zeros(0)}),
        ("widths that do not meet", {**whole, "conv1.weight": weight[:4].clone()}),
        ("missing", {name: value for name, value in whole.items() if name != "fc.bias"}),
        ("more", {**whole, "evil": bias.clone()}),
        ("odd name", {**whole, "conv1.forward": bias.clone()}),
        ("nameless", {**whole, "": bias.clone()}),
        ("one tensor", {"fc.bias": bias}),
    ]

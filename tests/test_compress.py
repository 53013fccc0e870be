"""kdprune compress: from a file of weights and a folder of images to what is shipped."""

import argparse
import copy
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from conftest import ROOT
from networks import TINY, tiny
from PIL import Image

from kdprune import __main__ as entrance
from kdprune import models
from kdprune.cli import answering
from kdprune.config import params
from kdprune.config.grid import expand
from kdprune.config.params import validate
from kdprune.deployment.answer import chosen, split
from kdprune.deployment.intervals import wilson
from kdprune.deployment.recommendation import Candidate
from kdprune.errors import KdpruneError
from kdprune.sources.pictures import usual_size
from kdprune.study import commission, widths
from kdprune.study.commission import Order
from kdprune.study.given import Source, source

CLASSES = ("dark", "light")


def photos(folder, count=40, sides=(33, 60)):
    """Noise of two brightnesses, in pictures of odd sizes, by class."""
    generator = np.random.default_rng(0)
    for name, level in zip(CLASSES, (40, 200), strict=True):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            shape = (*generator.integers(*sides, 2), 3)
            pixels = np.clip(generator.normal(level, 30, shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index:02}.jpg")
    return folder


def weights(path, classes=7):
    torch.save(models.build("resnet10t", classes=classes, seed=0).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(80, 10, 49.02, 94.33), (0, 20, 0, 16.11), (100, 20, 83.89, 100)],
)
def test_the_interval_of_a_share_is_wilsons(right, count, low, high):
    assert wilson(right, count) == pytest.approx((low, high), abs=0.01)


def candidate(**how):
    base = Candidate(
        dataset="images",
        network="network",
        role="teacher",
        method="channel",
        level=0.5,
        params=50,
        stored_params=50,
        macs=5,
        val_accuracy=80.0,
        test_accuracy=79.0,
        test_low=None,
        test_high=None,
        seeds=1,
        drop=0.0,
        latency_ms=None,
        steady=None,
        swept="channel",
    )
    return replace(base, **how)


def test_a_drop_is_below_the_network_that_was_given():
    every = [
        candidate(method="trained", level=0.0, val_accuracy=82.0, params=100),
        candidate(method="none", level=0.0, val_accuracy=90.0, params=100),
        candidate(),
        candidate(level=0.8, val_accuracy=81.5, params=20),
        candidate(level=0.9, val_accuracy=60.0, params=10),
        candidate(
            network="network-student-simkd", role="student", method="none", level=0.0, params=60
        ),
    ]
    before, others = split(every, "network")
    assert before.val_accuracy == 82.0
    assert [one.drop for one in others] == [2.0, 0.5, 22.0, 2.0]
    assert [one.params for one in chosen(others, {"max_drop": 2.0})] == [20, 50, 60]
    assert [one.params for one in chosen(others, {"max_drop": 1.0})] == [20]
    budget = chosen(others, {"max_drop": 30.0, "max_params": 30})  # the most accurate within it
    assert [one.params for one in budget] == [20, 10]
    assert not chosen(others, {"max_drop": 0.1})


def inside(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_budget_of_bytes_is_met_by_the_files_that_are_written(tmp_path, monkeypatch):
    """An ONNX file is larger than the weights say: the next smaller one is written in its place."""
    others = [
        candidate(level=level, val_accuracy=80 - 10 * level, params=size, stored_params=size)
        for level, size in ((0.2, 80), (0.5, 50), (0.8, 20), (0.9, 10))
    ]
    written, asked = [], argparse.Namespace(out=tmp_path)
    (tmp_path / "export").mkdir()
    (tmp_path / "export/earlier").touch()

    def export(given, best, formats):
        written.append(best.stored_params)
        (tmp_path / "export.tried").mkdir(exist_ok=True)
        (tmp_path / f"export.tried/{best.stored_params}").touch()
        sizes = {80: 400, 50: 260, 20: 120, 10: 80}
        return {"onnx": sizes[best.stored_params], "safetensors": 4 * best.stored_params}

    monkeypatch.setattr(answering, "_export", export)
    base = [4.0 * one.stored_params for one in others]
    impossible = {"max_drop": -1.0}
    assert answering._winner(asked, others, base, impossible, ["onnx"])[0] == []
    assert inside(tmp_path) == ["export", "export/earlier"]
    kept, sized, files = answering._winner(asked, others, base, {"max_bytes": 250}, ["onnx"])
    assert written == [50, 20]
    held = ["export", "export/20", "export/50"]  # both, for this writer replaces no folder
    assert inside(tmp_path) == held
    assert (kept[0].stored_params, kept[0].bytes, files["onnx"]) == (20, 120, 120)
    assert sized[1].bytes == 260
    written.clear()
    kept, sized, files = answering._winner(asked, others, base, {"max_bytes": 60}, ["onnx"])
    assert (kept, files, written) == ([], {}, [10])
    assert inside(tmp_path) == held
    kept, _, _ = answering._winner(asked, others, base, {"max_drop": 1.0}, ["onnx"])
    assert (written, kept[0].stored_params) == ([10, 10], 10)


def test_a_file_of_other_classes_gets_a_new_head_and_one_of_these_is_taken_as_it_is(tmp_path):
    told = {"where": "NETWORK", "architecture": "resnet10t"}
    new = source(str(weights(tmp_path / "seven.pth")), CLASSES, **told)
    assert new.entry["timm"] == "resnet10t"
    assert new.weights.items() >= {"head": "new", "train": True, "config": "timm"}.items()
    same = source(str(weights(tmp_path / "two.pth", 2)), CLASSES, **told)
    assert same.weights["train"] is False
    assert "head" not in same.weights
    stated = {"classes": ["light", "dark"], "mean": [0.1] * 3, "std": [0.2] * 3}
    other = source(str(tmp_path / "two.pth"), CLASSES, stated=stated, **told)
    assert other.weights.items() >= stated.items()
    assert "config" not in other.weights
    again = source(str(tmp_path / "two.pth"), CLASSES, stated={"head": "new"}, **told)
    assert again.weights["head"] == "new"
    with pytest.raises(KdpruneError, match=r"--classes: names 3, and .*two\.pth has 2 outputs"):
        source(str(tmp_path / "two.pth"), CLASSES, stated={"classes": ["a", "b", "c"]}, **told)
    with pytest.raises(KdpruneError, match=r"--classes: no output is called light, as images'"):
        source(str(tmp_path / "two.pth"), CLASSES, stated={"classes": ["a", "dark"]}, **told)
    both = {"classes": [*CLASSES], "head": "new"}
    with pytest.raises(KdpruneError, match=r"--new-head takes others; give one of both"):
        source(str(tmp_path / "two.pth"), CLASSES, stated=both, **told)


def test_what_lies_beside_a_file_is_taken_with_it(tmp_path):
    """From timm's config.json: its images and the names of its outputs, if asked for."""
    model = timm.create_model("resnet10t", num_classes=3)
    shapes = {"mean": [0.1] * 3, "std": [0.2] * 3, "input_size": (3, 64, 64)}
    model.pretrained_cfg |= shapes
    labels = {"label_names": ["light", "other", "dark"]}
    timm.models.save_for_hf(model, tmp_path, labels, safe_serialization=True)
    given = str(tmp_path / "model.safetensors")
    named = source(given, CLASSES, where="NETWORK")
    wanted = {"train": False, "mean": [0.1] * 3, "classes": ["light", "other", "dark"]}
    assert named.weights.items() >= wanted.items()
    assert (named.size, named.entry["timm"]) == (64, "resnet10t")
    anew = source(given, ("cat", "dog"), where="NETWORK")
    assert anew.weights.items() >= {"head": "new", "mean": [0.1] * 3}.items()
    assert anew.size is None
    stated = {"classes": ["a", "dark", "light"], "mean": [0.3] * 3, "std": [0.4] * 3}
    said = source(given, CLASSES, where="NETWORK", stated=stated)
    assert said.weights.items() >= stated.items()


def test_names_of_networks_are_ours_or_timms():
    assert source("resnet10_16", CLASSES, where="x").entry["timm"] == "resnet18"
    assert source("resnet10t", CLASSES, where="x").entry == {"timm": "resnet10t"}
    with pytest.raises(KdpruneError, match=r"^NETWORK resnet10x: is neither .* did you mean"):
        source("resnet10x", CLASSES, where="NETWORK")


FILE = {"path": "w.pth", "sha256": "0" * 64, "train": False}


@pytest.mark.parametrize("role", ["", "teacher", "student"])
@pytest.mark.parametrize("prune", ["channel", "both"])
def test_what_is_composed_are_valid_parameters(values, role, prune):
    other = Source({"timm": "resnet10t"}) if role else None
    network = Source({"timm": "resnet18", "weights": FILE})
    order = Order(Path("/photos"), 160, 480, network, prune, 8, 2.0, other, role)
    values = merged(values, commission.profile(order))
    values["architectures"] |= {"network": network.entry} | ({role: other.entry} if other else {})
    values["folders"] = {"images": {"path": "/photos"}}
    tuning = values["prune"]["finetune"]
    values["grid"] = expand(
        datasets=values["datasets"],
        pairs=values["pairs"],
        distill=values["distill"]["method"],
        prune=values["prune"]["method"],
        roles=values["prune"]["roles"],
        folders=values["folders"],
        objective=tuning["objective"],
        source=tuning["from"],
    )
    grid = validate(values).grid
    swept = {"": "network", "teacher": "teacher-network-kd", "student": "network-student-simkd"}
    assert {key.rpartition("-")[0] for key in grid["sweeps"]} == {f"images-{swept[role]}"}
    assert len(grid["sweeps"]) == (2 if prune == "both" else 1)
    assert "images-network" in grid["teachers"]  # what is compared with


# Of others' files: OmegaConf would compute the second, YAML reads some as numbers or as truth
NAMED = [
    "a",
    "${oc.env:HOME}",
    "1e3",
    "yes",
    "0x10",
    "\\${x}",
    "\\\\${y}",
    "???",
    ".5",
    "12:30",
    "é",
]


def odd(names=NAMED, images="/photos/ph${x}"):
    file = {**FILE, "path": "/w${x}.pth", "classes": names, "mean": [0.5] * 3, "std": [0.5] * 3}
    network = Source({"timm": "cifar_resnet20", "weights": file})
    return Order(Path(images), 32, 480, network, "channel", 2, 2.0)


def test_what_others_named_is_data_and_never_computed(tmp_path):
    """From the order through conf/, Hydra and OmegaConf to params.yaml, byte for byte."""
    order = odd()
    commission.write(tmp_path / "study", order)
    held = params.load(tmp_path / "study/params.yaml")
    assert held.architectures["network"].weights.classes == NAMED
    assert held.architectures["network"].weights.path == "/w${x}.pth"
    assert held.folders["images"].path == "/photos/ph${x}"
    assert held.grid["datasets"]["images"]["images"] == "/photos/ph${x}"
    assert commission.write(tmp_path / "study", order)  # and it goes on


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (odd(["a", "${"]), r"NETWORK: '\$\{' cannot be written to params\.yaml"),
        (odd(["a", "0o17"]), "NETWORK: '0o17' cannot be written"),
        (odd(images="/p${"), r"IMAGES: '/p\$\{' cannot be written"),
    ],
)
def test_a_name_that_omegaconf_or_yaml_cannot_hold_is_refused(tmp_path, order, said):
    with pytest.raises(KdpruneError, match=said):
        commission.write(tmp_path / "study", order)
    assert not (tmp_path / "study").exists()


def merged(base, more):
    base = copy.deepcopy(base)
    for name, value in more.items():
        inner = isinstance(value, dict) and isinstance(base.get(name), dict)
        base[name] = merged(base[name], value) if inner else value
    return base


def ordered(network, role="", other=None, size=32, **kwargs):
    other, source = Source({"timm": other}) if other else None, {"timm": network, "kwargs": kwargs}
    return Order(Path("/p"), size, 480, Source(source), "channel", 8, 2.0, other, role)


NARROW = {"block_config": [2, 3, 4, 3], "growth_rate": 12}  # maps of 12 channels: 8, and 4 more


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        (ordered("resnet10t"), 8),
        (ordered("mobilenetv2_050"), 8),
        (ordered("resnet10t", "student", "mobilenetv2_050"), 8),
        (ordered("resnet10t", size=96), 8),
        (ordered("densenet121", **NARROW), 4),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else value.network.entry["timm"],
)
def test_filters_stay_in_the_largest_block_that_meets_all_levels(order, wanted):
    found = widths.block(order, 4)
    assert found == wanted
    assert commission.profile(replace(order, round_to=found))["prune"]["channel"] == {
        "round_to": wanted
    }


def test_a_block_that_is_asked_for_is_taken_or_refused():
    assert widths.block(ordered("resnet10t"), 4, wanted=3) == 3
    with pytest.raises(KdpruneError, match=r"--round-to 8: some level .* up to 4 works"):
        widths.block(ordered("densenet121", **NARROW), 4, wanted=8)


def test_a_teacher_alone_is_pruned_and_nothing_is_distilled():
    how = {"datasets": ["a"], "distill": "kd", "prune": "weight", "roles": ["teacher", "student"]}
    grid = expand(pairs=["one/none"], **how)
    assert not grid["students"]
    assert [item["checkpoint"] for item in grid["sweeps"].values()] == [
        "models/teachers/a-one.safetensors"
    ]
    assert expand(pairs=["one/two", "one/none"], **how)["students"].keys() == {"a-one-two-kd"}


def test_images_are_seen_at_about_their_own_size(tmp_path):
    files = [*photos(tmp_path / "p", 5, (97, 130)).rglob("*.jpg")]
    assert usual_size(files) == 96
    assert usual_size([]) == 32
    os.mkfifo(tmp_path / "pipe.png")
    assert usual_size([tmp_path / "pipe.png"]) == 32  # and does not wait for it
    Image.new("RGB", (900, 700)).save(tmp_path / "large.png")
    assert usual_size([tmp_path / "large.png"]) == 224


def ask(*arguments, capsys):
    status = entrance.main(["compress", *map(str, arguments)])
    return status, capsys.readouterr().err.strip()


def test_what_cannot_be_is_one_line_before_any_work(tmp_path, capsys):
    name, _ = TINY["basic"]
    torch.save(tiny("dense").state_dict(), tmp_path / "dense.pth")
    photos(tmp_path / "photos", 4)
    photos(tmp_path / "one", 4).joinpath("dark").rename(tmp_path / "dark")
    (tmp_path / "loop").symlink_to("loop")
    rows = [
        (("dense.pth", "one"), "has one class only (light)"),
        (("dense.pth", "photos", "--architecture", name), "holds another network's weights than"),
        (("dense.pth", "loop"), "loop: is a circle of links; name another folder"),
        (("dense.pth", "photos", "--out", tmp_path / "loop"), "--out"),
        (("gone.pth", "photos"), "gone.pth: is neither a file nor the name of a network"),
        (("dense.pth", "photos", "--mean", "0,0,0"), "--mean and --std: go together"),
        (("dense.pth", "photos", "--size", "7"), "--size: from 8 to 512"),
        (("dense.pth", "photos", "--architecture", "resnet81"), "resnet81: is no network's name"),
        (("dense.pth", "photos", "--round-to", "0"), "--round-to: from 1 to 1024"),
        (
            ("dense.pth", "photos", "--round-to", "8", "--prune", "weight"),
            "--round-to: from 1 to 1024, and of --prune channel or both",
        ),
        (
            ("dense.pth", "photos", "--prune", "weight", "--max-bytes", "1M"),
            "--max-bytes: weight pruning leaves files as large",
        ),
    ]
    for option in ("--classes=a,b", "--new-head", "--architecture=resnet18"):
        named = f"{option.partition('=')[0]} say what is in one"
        rows.append(
            (("resnet10t", "photos", option), f"NETWORK resnet10t: is no file, and {named}")
        )
    for (network, folder, *more), said in rows:
        given = (
            network if network == "resnet10t" else tmp_path / network,
            tmp_path / folder,
            "--out",
            tmp_path / "out",
            *more,
        )
        status, told = ask(*given, capsys=capsys)
        assert status == 2
        assert said in told
        assert "\n" not in told
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_network_is_compressed_answered_for_and_shipped(tmp_path):
    """To the end and on: another limit from what is there, which no network meets."""
    photos(tmp_path / "photos")
    weights(tmp_path / "resnet10t.pth")
    asked = ("resnet10t.pth", "photos", "--epochs", "2", "--out", "small")
    lines = compress(tmp_path, *asked, "--max-drop", "5")
    assert len(lines) <= 11
    assert [line.split()[0] for line in lines][
        :6
    ] == "images tried before after winner runner-up".split()
    certificate = json.loads((tmp_path / "small/export/certificate.json").read_text())
    assert certificate["sweep"]["equal"]
    assert tuple(certificate["input"]["classes"]) == CLASSES
    assert certificate["parameters"]["stored"] < certificate["parameters"]["dense"]
    assert certificate["input"]["mean"] == pytest.approx([0.485, 0.456, 0.406])  # timm's
    assert (tmp_path / "small/export/network.onnx").is_file()
    lines = compress(tmp_path, *asked, "--max-params", "1k", status=1)
    assert any("--max-params, " in line and "parameters over" in line for line in lines)
    compress(tmp_path, *asked, "--max-drop", "100", "--max-bytes", "6M")
    assert [path.stat().st_size <= 6e6 for path in shipped(tmp_path)] == [True, True]
    lines = compress(tmp_path, *asked, "--max-bytes", "20k", "--max-drop", "100", status=1)
    assert any("--max-bytes, " in line and "bytes over; channel" in line for line in lines)
    assert all(path.is_file() for path in shipped(tmp_path))  # the earlier answer's
    other = compress(tmp_path, *asked, "--prune", "both", status=2, stream="stderr")
    assert "holds the study of another question" in other[-1]


def shipped(folder):
    return [folder / f"small/export/network.{form}" for form in ("safetensors", "onnx")]


def compress(folder, *arguments, status=0, stream="stdout"):
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "kdprune", "compress", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stdout[-2000:] + done.stderr[-3000:]
    return getattr(done, stream).strip().splitlines()

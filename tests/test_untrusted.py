"""A file is data: whatever its metadata and tensors say, it is refused in one line, or right."""

import contextlib
import json
import resource
import socket
import time

import attacks
import cli_project
import numpy as np
import pytest
import torch
from attacks import GOOD, arguments, lies, network, write
from conftest import some
from networks import tiny
from PIL import Image

from kdprune import models
from kdprune.__main__ import main
from kdprune.config.params import validate
from kdprune.errors import KdpruneError
from kdprune.models import checkpoints, counts
from kdprune.terminal import printable
from kdprune.untrusted import refusal


@pytest.fixture
def offline(monkeypatch):
    """Any use of the network is an error that nothing here expects."""

    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(path)
    return path


def refused(capsys, *command) -> str:
    capsys.readouterr()
    assert main(list(map(str, command))) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1, told.err
    assert told.err.startswith("kdprune: ")
    return told.err


def commands(path, picture):
    return (["inspect", path], ["predict", path, picture], ["export", path, "--level", "0.5"])


WORDS = some(word for word, _ in lies(attacks.Path("/x")))


@pytest.mark.parametrize("word", WORDS)
def test_metadata_that_lie_are_refused(word, tmp_path, picture, values, capsys, offline):
    """Nothing is executed, nothing is asked of the network, and no folder is made."""
    import yaml

    marker, evil = tmp_path / "executed", tmp_path / "weights.pth"
    attacks.pickled(evil, marker)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    cli_project.data(tmp_path / "data" / "cifar10")
    path = write(tmp_path / "network.safetensors", dict(lies(evil))[word])
    before = sorted(tmp_path.rglob("*"))
    began = time.perf_counter()
    for command in commands(path, picture):
        told = refused(capsys, *command, *(["--project", tmp_path] * (command[0] != "inspect")))
        assert "network.safetensors" in told or "architectures" in told
        assert "\x1b" not in told
    assert time.perf_counter() - began < 10
    assert sorted(tmp_path.rglob("*")) == before
    assert not marker.exists()


@pytest.mark.parametrize("word", some(word for word, _ in attacks.damaged()))
def test_tensors_that_do_not_belong_are_refused(word, tmp_path, picture, capsys):
    path = write(tmp_path / "network.safetensors", GOOD, dict(attacks.damaged())[word])
    assert "network.safetensors" in refused(capsys, "predict", path, picture) or word.startswith(
        "widths"
    )


def test_the_same_file_without_a_lie_is_taken(tmp_path, picture, capsys):
    path = write(tmp_path / "network.safetensors", {**GOOD, "pruned": attacks.PRUNED})
    assert main(["inspect", str(path)]) == 0
    assert main(["predict", str(path), str(picture)]) == 0
    assert "class" in capsys.readouterr().out
    model, metadata = checkpoints.load(path)
    assert metadata == {**GOOD, "pruned": attacks.PRUNED}
    batch = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(model(batch), tiny("basic")(batch))


def test_the_pickle_would_have_run(tmp_path):
    """The attack is real: loaded without care, the file does what it says."""
    evil = attacks.pickled(tmp_path / "weights.pth", tmp_path / "executed")
    with contextlib.suppress(Exception):  # what it makes is no checkpoint
        torch.load(evil, weights_only=False)
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "lie",
    [network(classes=100_000), arguments(layers=[25_000] * 4), arguments(channels=[9999] * 4)],
)
def test_what_is_not_built_takes_no_memory(lie, tmp_path):
    path = write(tmp_path / "network.safetensors", {**lie, "input": None})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(KdpruneError):
        checkpoints.load(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000  # kB; 4 x 9999 channels in float32 alone would be 1.6 GB


def test_a_header_of_any_length_is_refused(tmp_path):
    path = tmp_path / "network.safetensors"
    for length in (0, 1, 1 << 20, 1 << 40, (1 << 64) - 1):
        path.write_bytes(length.to_bytes(8, "little") + b"{" * 64)
        with pytest.raises(KdpruneError, match="no readable"):
            checkpoints.header(path)
    with path.open("wb") as file:  # takes no room on the disk
        file.write((1 << 33).to_bytes(8, "little"))
        file.truncate(1 << 34)
    with pytest.raises(KdpruneError, match="header of more than"):
        checkpoints.header(path)


@pytest.mark.parametrize(
    "given",
    [
        {"pretrained": True},
        {"pretrained_cfg_overlay": {"url": "file:///x"}},
        {"checkpoint_path": "x"},
        {"cache_dir": "x"},
        {"features_only": True},
        {"device": "cpu"},
        {"act_layer": "https://x.example/y"},
        {"layers": ["/x"]},
        {"layers": [10**7]},
        {"layres": [1, 1, 1, 1]},
    ],
    ids=str,
)
def test_parameters_may_say_what_a_file_may(given, values):
    values["architectures"]["resnet18"]["kwargs"] = given
    with pytest.raises(
        KdpruneError, match=rf"architectures\.resnet18\.kwargs\.{next(iter(given))}"
    ):
        validate(values)
    with pytest.raises(KdpruneError, match=rf"kwargs\.{next(iter(given))}"):
        models.build("resnet18", classes=10, kwargs=given)


def test_arguments_of_shape_are_known():
    for kwargs in (
        {"layers": [1, 2, 1, 1], "channels": [8, 8, 16, 16], "stem_type": "deep", "stem_width": 8},
        {"growth_rate": 12, "block_config": [2, 2, 2, 2], "drop_rate": 0.1},
        {"img_size": 32, "patch_size": 4, "embed_dim": 48, "depth": 2, "num_heads": 3},
        {"depths": [1, 1, 1, 1], "dims": [8, 16, 16, 16], "act_layer": "gelu"},
        {"cardinality": 2, "base_width": 8, "global_pool": "avg", "output_stride": 8},
    ):
        assert refusal(kwargs) == ""


def test_no_name_moves_the_cursor(tmp_path, capsys):
    """Class names are any text; on a terminal they are text, too."""
    wild = ["\x1b[31mred", "\u202eright to left", "a\nb", "\x9b2J", "\x7f", *("äéñ中🐱")]
    classes = [*wild, *(f"c{index}" for index in range(10))][:10]
    path = write(
        tmp_path / "wild.safetensors", {**GOOD, "input": {**attacks.INPUT, "classes": classes}}
    )
    picture = tmp_path / "\x1b[2J.png"
    Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(picture)
    assert main(["predict", str(path), str(picture), "--top", "10"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert printable(shown[:-1]) == shown[:-1]
    assert "\\x1b[31mred" in shown
    assert main(["predict", str(path), str(picture), "--top", "10", "--json"]) == 0
    told = capsys.readouterr().out
    assert {one["class"] for one in json.loads(told)[0]["top"]} == set(classes)
    assert told.isascii()
    assert "\x7f" not in told
    assert main(["predict", str(path), f"{tmp_path}/\x1b[1mgone.png"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_small_file_that_makes_gigabytes_of_maps_is_refused_before_it_runs(
    tmp_path, picture, capsys
):
    wide = {"timm_name": "cifar_resnet8x4", "classes": 10, "stem": "imagenet", "size": 512}
    wide["kwargs"] = {"depth": 8, "widths": [1000, 1, 1, 1]}
    shape = {**GOOD["input"], "shape": [3, 512, 512]}
    held = models.build(**wide).state_dict()
    path = write(tmp_path / "network.safetensors", {**GOOD, "network": wide, "input": shape}, held)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = refused(capsys, "predict", path, picture)
    assert "network.safetensors: makes maps of 262,144,000 numbers of one image of 512 x" in told
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB


@pytest.mark.parametrize("family", ["basic", "squeeze"])
def test_maps_are_counted_as_they_are_made_and_the_network_stays_as_it_is(family, monkeypatch):
    model, sizes = tiny(family), []
    state = {name: value.clone() for name, value in model.state_dict().items()}
    hooks = [
        layer.register_forward_hook(lambda _, given, made: sizes.append(made.numel()))
        for layer in model.modules()
    ]
    counts.macs(model)
    for hook in hooks:
        hook.remove()
    monkeypatch.setattr(counts, "SLACK", 0)
    monkeypatch.setattr(counts, "ROOM", max(sizes))
    counts.require_modest(model, "x")
    monkeypatch.setattr(counts, "ROOM", max(sizes) - 1)
    with pytest.raises(KdpruneError, match=f"^x: makes maps of {max(sizes):,} numbers"):
        counts.require_modest(model, "x")
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(layer._forward_hooks for layer in model.modules())
    assert all(not value.is_meta for value in model.parameters())


def test_a_network_that_runs_by_its_values_is_left_to_those_who_run_it():
    class Choosing(torch.nn.Conv2d):
        def forward(self, given):
            return super().forward(given if given.sum() > 0 else -given)

    counts.require_modest(Choosing(3, 3, 1), "x")

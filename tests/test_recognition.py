"""A file of weights says by its names and shapes which network it is of."""

import json
from pathlib import Path

import pytest
import timm
import torch
from networks import TINY, tiny
from safetensors.torch import save_file

from kdprune import models
from kdprune.errors import KdpruneError
from kdprune.models.recognition import recognise

KNOWN = {f"tiny_{family}": TINY[family] for family in ("dense", "basic", "bottleneck")}


def of(path, **how):
    return recognise(path, KNOWN, **{"name": None, "where": "NETWORK"} | how)


@pytest.mark.parametrize("family", ["basic", "bottleneck", "dense"])
def test_a_file_is_known_by_its_tensors(family, tmp_path):
    model = tiny(family, classes=7)
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "w.pt"
    )
    seen = of(tmp_path / "w.pt")
    assert (seen.timm_name, dict(seen.kwargs)) == TINY[family]
    assert (seen.outputs, seen.stem) == (7, "imagenet")


def test_the_stem_is_seen_too(tmp_path):
    torch.save(tiny("basic", stem="cifar").state_dict(), tmp_path / "w.pt")
    assert of(tmp_path / "w.pt").stem == "cifar"


def test_a_files_name_may_hold_the_networks(tmp_path):
    torch.save(
        models.build("resnet10t", classes=5).state_dict(), tmp_path / "resnet10t.c3-1a2b.pth"
    )
    assert of(tmp_path / "resnet10t.c3-1a2b.pth").timm_name.startswith("resnet10t")
    (tmp_path / "resnet10t.c3-1a2b.pth").rename(tmp_path / "mine.pth")
    with pytest.raises(KdpruneError, match=r"^NETWORK: .*of no network that is known.*--architect"):
        of(tmp_path / "mine.pth")
    assert of(tmp_path / "mine.pth", name="resnet10t").outputs == 5
    with pytest.raises(KdpruneError, match=r"holds another network's weights than resnet18's"):
        of(tmp_path / "mine.pth", name="resnet18")


def test_a_checkpoint_of_ours_says_so_itself(tmp_path):
    name, kwargs = TINY["basic"]
    described = {"timm_name": name, "classes": 10, "kwargs": kwargs, "size": 64}
    own = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    path = tmp_path / "m.safetensors"
    models.save(path, tiny("basic"), {"network": described, "normalised": own})
    seen = recognise(path, {}, name=None, where="NETWORK")
    assert (seen.timm_name, seen.outputs, seen.size, seen.normalised) == (name, 10, 64, own)


def test_no_file_no_network(tmp_path):
    with pytest.raises(KdpruneError, match=r"is damaged or no checkpoint"):
        of(Path(tmp_path / "gone.pt"))


def hub(folder, *, classes=3, **changes):
    """A network as timm saves it for the Hub: model.safetensors and config.json."""
    folder.mkdir()
    model = timm.create_model("resnet10t", num_classes=classes)
    save_file(model.state_dict(), folder / "model.safetensors")
    shapes = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": [3, 96, 96]}
    config = {"architecture": "resnet10t", "num_classes": classes, "pretrained_cfg": shapes}
    config |= {"label_names": ["cat", "dog", "ant"]} | changes
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "model.safetensors"


def test_timms_config_beside_a_file_says_what_it_is(tmp_path):
    seen = of(hub(tmp_path / "a"))
    assert (seen.timm_name, seen.outputs, seen.size) == ("resnet10t", 3, 96)
    assert seen.normalised == {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    assert seen.classes == ("cat", "dog", "ant")
    numbered = of(hub(tmp_path / "b", label_names={"0": "x", "2": "z", "1": "y"}))
    assert numbered.classes == ("x", "y", "z")
    assert of(hub(tmp_path / "c", label_names=["too", "few"])).classes is None
    args = hub(tmp_path / "d", model_args={"layers": [1, 1, 1, 1]})
    assert of(args).kwargs == {"layers": [1, 1, 1, 1]}


def test_what_timm_itself_saves_is_read(tmp_path):
    model = timm.create_model("resnet10t", num_classes=2)
    timm.models.save_for_hf(
        model, tmp_path, {"label_names": ["no", "yes"]}, safe_serialization=True
    )
    seen = of(tmp_path / "model.safetensors")
    assert (seen.timm_name, seen.outputs, seen.classes) == ("resnet10t", 2, ("no", "yes"))
    assert seen.normalised["mean"] == pytest.approx([0.485, 0.456, 0.406])


def test_another_programs_config_and_another_networks_are_passed_over(tmp_path):
    for name, text in (("a", "[]"), ("b", "{"), ("c", '{"model_type": "vit", "architecture": 3}')):
        path = hub(tmp_path / name)
        path.with_name("config.json").write_text(text)
        path = path.rename(path.with_name("resnet10t.safetensors"))
        assert of(path).normalised is None
    path = hub(tmp_path / "d", architecture="resnet18")
    path = path.rename(path.with_name("resnet10t.safetensors"))
    assert (of(path).timm_name, of(path).size) == ("resnet10t", None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pretrained_cfg": {"mean": [0.1], "std": [1, 1, 1]}}, "mean is not three numbers"),
        ({"pretrained_cfg": {"mean": [0, 0, 0], "std": [0, 1, 1]}}, "std is not three numbers"),
        ({"pretrained_cfg": {"input_size": [1, 28, 28]}}, "input_size: has 1 channels"),
        ({"model_args": {"pretrained": True}}, "model_args: "),
    ],
)
def test_a_config_that_cannot_be_is_one_line(changes, said, tmp_path):
    with pytest.raises(KdpruneError, match=rf"config\.json: {said}") as caught:
        of(hub(tmp_path / "a", **changes))
    assert "\n" not in str(caught.value)

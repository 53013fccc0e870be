"""A file of weights says by its names and shapes which network it is of."""

from pathlib import Path

import pytest
import torch
from networks import TINY, tiny

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

"""A teacher's file may answer other questions, in another order, for images seen otherwise."""

import hashlib
import json

import pytest
import torch
import torchvision
from cli_project import data as write_data
from networks import TINY, images
from safetensors.torch import save_file

from kdprune import models
from kdprune.config.params import validate
from kdprune.errors import KdpruneError
from kdprune.models import checkpoints
from kdprune.models.own_weights import adopt
from kdprune.models.torchvision_names import SHARED
from kdprune.study import networks
from kdprune.study.images import as_told, tensors
from kdprune.study.trainings import adopted

WHERE = "architectures.mine.weights"
NAMES = [f"class{label}" for label in range(10)]


def stored(path, classes=10, seed=3, family="basic"):
    """A file of a tiny network's weights with so many outputs; the network and the sum."""
    name, kwargs = TINY[family]
    model = models.build(name, classes=classes, kwargs=kwargs, seed=seed).eval()
    torch.save(model.state_dict(), path)
    return model, hashlib.sha256(path.read_bytes()).hexdigest()


def blank():
    name, kwargs = TINY["basic"]
    return models.build(name, classes=10, kwargs=kwargs, seed=99).eval()


def take(path, digest, **last):
    model = blank()
    adopt(model, path, sha256=digest, where=WHERE, **last)
    return model


def test_a_new_head_keeps_the_body_of_the_file_and_its_own_first_weights(tmp_path):
    teacher, digest = stored(tmp_path / "w.pt", classes=37)
    taken = take(tmp_path / "w.pt", digest, head="new")
    batch = images(4) / 255
    with torch.inference_mode():
        assert torch.equal(taken.forward_features(batch), teacher.forward_features(batch))
    assert torch.equal(taken.fc.weight, blank().fc.weight)
    assert torch.equal(taken.fc.bias, blank().fc.bias)


def test_another_number_of_outputs_is_one_line_that_says_what_to_write(tmp_path):
    _, digest = stored(tmp_path / "w.pt", classes=37)
    said = r"w\.pt has 37 outputs, and the data set 10 classes; "
    with pytest.raises(KdpruneError, match=said) as e:
        take(tmp_path / "w.pt", digest)
    assert "head: new" in str(e.value)
    assert "classes: [" in str(e.value)


def test_outputs_are_taken_by_their_names_in_the_order_of_the_classes(tmp_path):
    teacher, digest = stored(tmp_path / "w.pt", classes=12)
    outputs = ["other", *reversed(NAMES), "more"]
    taken = take(tmp_path / "w.pt", digest, outputs=outputs, classes=NAMES)
    batch = images(4) / 255
    with torch.inference_mode():
        assert torch.allclose(taken(batch), teacher(batch)[:, 1:11].flip(1), atol=1e-6)
    with pytest.raises(KdpruneError, match=r"weights\.classes: names 3 outputs, and .* has 12"):
        take(tmp_path / "w.pt", digest, outputs=["a", "b", "c"], classes=NAMES)
    outputs[1] = "class10"
    with pytest.raises(KdpruneError, match=r"classes: lacks 'class9', .* did you mean class"):
        take(tmp_path / "w.pt", digest, outputs=outputs, classes=NAMES)


def test_another_networks_file_is_refused_with_a_new_head_too(tmp_path):
    _, digest = stored(tmp_path / "w.pt", family="dense")
    for last in ({}, {"head": "new"}, {"outputs": NAMES, "classes": NAMES}):
        with pytest.raises(KdpruneError, match=r"w\.pt does not fit the network .*is missing") as e:
            take(tmp_path / "w.pt", digest, **last)
        assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("name", "older"), [("efficientnet_b0", False), ("mobilenetv2_100", True), ("mnasnet_100", 0)]
)
def test_torchvisions_names_are_understood(name, older, tmp_path):
    """A file of torchvision's network, whatever the order of its names, gives the same logits."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torchvision.models.get_model(SHARED[name], num_classes=3).eval()
        batch = torch.randn(2, 3, 64, 64)
    state = theirs.state_dict()
    if older:
        state = {key: value for key, value in state.items() if "num_batches" not in key}
    save_file(state, tmp_path / "theirs.safetensors")
    digest = hashlib.sha256((tmp_path / "theirs.safetensors").read_bytes()).hexdigest()
    ours = models.build(name, classes=3).eval()
    adopt(ours, tmp_path / "theirs.safetensors", sha256=digest, where=WHERE)
    with torch.inference_mode():
        assert torch.allclose(ours(batch), theirs(batch), atol=1e-5)


def test_the_dotted_names_of_downloaded_densenets_are_understood(tmp_path):
    model, _ = stored(tmp_path / "w.pt", family="dense")
    dotted = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
        for name, value in model.state_dict().items()
    }
    assert dotted.keys() != model.state_dict().keys()
    torch.save(dotted, tmp_path / "w.pt")
    digest = hashlib.sha256((tmp_path / "w.pt").read_bytes()).hexdigest()
    name, kwargs = TINY["dense"]
    ours = models.build(name, classes=10, kwargs=kwargs, seed=99).eval()
    adopt(ours, tmp_path / "w.pt", sha256=digest, where=WHERE)
    batch = images(2) / 255
    with torch.inference_mode():
        assert torch.equal(ours(batch), model(batch))


GIVEN = {"path": "w.pt", "sha256": "0" * 64}
WRONG = [
    ({"mean": [0.5, 0.5, 0.5]}, r"weights\.std: is missing; mean and std go together"),
    ({"mean": [0.5] * 3, "std": [0.0, 0.1, 0.1]}, r"weights\.std\.0 = 0\.0: .*greater than"),
    ({"mean": [0.5] * 2, "std": [0.1] * 3}, r"weights\.mean = .*at least 3"),
    ({"mean": [0.5] * 3, "std": [0.1] * 3, "config": "timm"}, r"weights\.config: timm states mean"),
    ({"config": "hub"}, r"weights\.config = 'hub': .*'timm'"),
    ({"head": "old"}, r"weights\.head = 'old': .*'new'"),
    ({"head": "new", "train": False}, r"weights\.head: new is untrained, and train: false"),
    ({"head": "new", "classes": ["a", "b"]}, r"weights\.classes: names outputs that head: new"),
    ({"rate": 0.1, "train": False}, r"weights\.rate: nothing is trained with train: false"),
    ({"rate": 0.0}, r"weights\.rate: 0 freezes all but a new head; write head: new"),
    ({"rate": 1.5}, r"weights\.rate = 1\.5: .*less than or equal to 1"),
    ({"classes": ["a", "a"]}, r"weights\.classes: names one twice"),
    ({"size": 96}, r"weights\.size = 96: images of cifar10 have 32 pixels; is for other images"),
]


@pytest.mark.parametrize(("given", "said"), WRONG)
def test_what_is_said_of_a_file_is_checked(values, given, said):
    values["architectures"]["resnet10_24"]["weights"] = GIVEN | given
    with pytest.raises(KdpruneError, match=said) as caught:
        validate(values)
    assert "\n" not in str(caught.value)


def test_the_size_of_ones_own_images_may_be_that_of_the_weights(values):
    values |= {"datasets": ["mine"], "folders": {"mine": {"path": "photos"}}}
    values["architectures"]["resnet10_24"]["weights"] = GIVEN | {"size": 96}
    with pytest.raises(KdpruneError, match=r"images of mine have 32 pixels; set data\.size: 96"):
        validate(values)
    values["data"]["size"] = 96
    with pytest.raises(KdpruneError, match=r"^params: grid"):  # all before it is right
        validate(values)


@pytest.mark.parametrize("config", [None, "timm"])
def test_a_networks_own_mean_and_std_go_with_it(values, config, tmp_path, monkeypatch):
    """From the parameters to the checkpoint, to the images of a stage and of an export."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data" / "cifar10")
    _, digest = stored(tmp_path / "w.pt")
    name, kwargs = TINY["basic"]
    stated = {"config": "timm"} if config else {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    weights = {"path": "w.pt", "sha256": digest, "train": False, **stated}
    values["architectures"]["resnet10_24"] = {"timm": name, "kwargs": kwargs, "weights": weights}
    params, model = validate(values), blank()
    told = adopted(params, "resnet10_24", model, "cifar10")
    wanted = stated
    if config:
        wanted = {part: list(model.pretrained_cfg[part]) for part in ("mean", "std")}
    assert told["normalised"] == {part: pytest.approx(wanted[part]) for part in ("mean", "std")}
    network = {"timm_name": name, "classes": 10, "kwargs": kwargs}
    models.save("m.safetensors", model, {"network": network, "dataset": "cifar10", **told})
    _, known = checkpoints.load("m.safetensors")
    plain = tensors("cifar10", params)
    seen = tensors("cifar10", params, known)
    for part in ("mean", "std"):
        assert seen[part].tolist() == pytest.approx(wanted[part])
        assert networks.preprocessing(tmp_path / "data" / "cifar10", known)[part] == wanted[part]
        manifest = json.loads((tmp_path / "data/cifar10/manifest.json").read_text())
        assert plain[part].tolist() == pytest.approx(manifest[part])
    assert torch.equal(as_told(plain, {})["mean"], plain["mean"])

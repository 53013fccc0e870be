"""Images of any size: what is stored, what networks see of it, and that every part agrees."""

import json

import numpy as np
import own_data
import pytest
import torch
from conftest import some
from PIL import Image

from kdprune import models
from kdprune.cli import predict
from kdprune.data.augment import (
    augmentation,
    centred,
    random_crop_flip,
    random_resized_crop_flip,
)
from kdprune.data.tensors import augmentation_of, load_tensors
from kdprune.deployment import measure
from kdprune.distillation import METHODS
from kdprune.models import counts
from kdprune.models.building import side_of
from kdprune.pruning import METHODS as PRUNINGS
from kdprune.pruning import application
from kdprune.sources import folder

SLIM = {"layers": [1, 1, 1, 1], "channels": [8, 8, 16, 16]}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(size, seed=0, **kwargs):
    return models.build("resnet18", classes=4, kwargs={**SLIM, **kwargs}, size=size, seed=seed)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Pictures of 120 x 80: a red middle between blue edges."""
    root = tmp_path_factory.mktemp("wide")
    for label in ("cat", "dog"):
        (root / label).mkdir()
        for number in range(6):
            pixels = np.zeros((80, 120, 3), np.uint8)
            pixels[:, :20, 2] = pixels[:, 100:, 2] = 255
            pixels[:, 20:100, 0] = 250 - number
            pixels[0, 20, 1] = 1 if label == "cat" else 2
            pixels[40, 60, 1] = 200  # a channel that never varies could not be normalised
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    return root


def test_a_folder_is_stored_at_its_size(wide, tmp_path):
    folder.prepare("mine", wide, tmp_path / "data", size=40, show=False)
    manifest = json.loads((tmp_path / "data/manifest.json").read_text())
    assert (manifest["side"], manifest["size"], manifest["crop"]) == (40, 40, 1.0)
    data = load_tensors(tmp_path / "data", validation=0.2, validation_seed=0)
    assert data["train_images"].shape[1:] == data["test_images"].shape[1:] == (3, 40, 40)
    inner = data["train_images"][:, 2, :, 1:-1]  # the filter reaches a pixel beyond
    assert inner.max() == 0  # the blue edges lie outside the middle square


def test_evaluation_sees_the_middle_of_what_is_stored(wide, tmp_path):
    folder.prepare("mine", wide, tmp_path / "data", size=35, crop=0.875, show=False)
    data = load_tensors(tmp_path / "data", validation=0.2, validation_seed=0)
    assert data["train_images"].shape[2:] == (40, 40)
    assert data["val_images"].shape[2:] == data["test_images"].shape[2:] == (35, 35)
    views = augmentation_of(tmp_path / "data")(data["train_images"], seeded())
    assert views.shape[2:] == (35, 35)
    images = torch.arange(100).view(1, 1, 10, 10).expand(1, 3, 10, 10)
    assert centred(images, 4)[0, 0, 0].tolist() == [33, 34, 35, 36]


def test_predict_sees_a_file_as_the_data_set_has_it(tmp_path):
    root = own_data.make(tmp_path / "mine", count=4)
    folder.prepare("mine", root, tmp_path / "out", size=21, crop=0.875, show=False)
    data = load_tensors(tmp_path / "out", validation=0.3, validation_seed=0)
    middles = centred(data["train_images"], 21)
    known = {row.numpy().tobytes() for row in (*middles, *data["val_images"], *data["test_images"])}
    for file in some(root.glob("*/*")):
        assert predict.read(file, 21, 0.875).contiguous().numpy().tobytes() in known


@pytest.mark.parametrize(("kind", "size"), [("auto", 32), ("crop", 96)])
def test_crops_are_shifts(kind, size):
    images = torch.randint(0, 256, (4, 3, size, size), dtype=torch.uint8)
    views = augmentation(kind, size)(images, seeded())
    assert torch.equal(views, random_crop_flip(images, seeded(), padding=size // 8))


def test_resized_parts_are_inside_the_image_and_cover_it():
    """An image whose pixels are their own coordinates tells which part each view shows."""
    side = 64
    columns = torch.arange(side).expand(side, side)
    image = torch.stack([columns, columns.T, torch.zeros(side, side, dtype=torch.long)])
    images = image.to(torch.uint8).expand(400, 3, side, side)
    views = augmentation("auto", side)(images, seeded()).float()
    spans = [
        views[:, axis].flatten(1).max(1)[0] - views[:, axis].flatten(1).min(1)[0] for axis in (0, 1)
    ]
    areas = spans[0] * spans[1] / side**2
    assert 0.05 < areas.min() < 0.15
    assert areas.max() > 0.9
    assert areas.mean() == pytest.approx(0.5, abs=0.05)  # even from 0.08 to 1, a little clipped
    flipped = views[:, 0, :, 0].mean(1) > views[:, 0, :, -1].mean(1)
    assert 0.4 < flipped.float().mean() < 0.6
    again = random_resized_crop_flip(images, seeded(), size=side).float()
    assert torch.equal(views, again)


def test_a_network_knows_its_images(tmp_path):
    large, small = network(64), network(32)
    assert counts.macs(large) == pytest.approx(4 * counts.macs(small), rel=0.01)
    described = {"timm_name": "resnet18", "classes": 4, "kwargs": SLIM, "size": 64}
    models.save(tmp_path / "a.safetensors", large, {"network": described})
    loaded, _ = models.load(tmp_path / "a.safetensors")
    assert side_of(loaded) == 64
    assert measure.sizes(loaded)["macs"] == counts.macs(large)


def test_prunings_follow_a_network_at_its_size():
    large = network(64)
    images = torch.randint(0, 256, (8, 3, 70, 70), dtype=torch.uint8, generator=seeded())
    data = {"train_images": images, "train_labels": torch.arange(8) % 4}
    data |= {"mean": torch.full((3,), 0.5), "std": torch.full((3,), 0.25)}
    for name in (name for name in PRUNINGS if not application.trains(name)):
        given = {"images": 8} if name == "taylor" else {}
        pruned = next(application.prune(name, large, [0.5], given, lambda: data))
        assert side_of(pruned.model) == 64, name
        assert pruned.model(torch.zeros(2, 3, 64, 64)).shape == (2, 4)


def test_simkd_averages_maps_at_the_size_of_the_images():
    """At 64 pixels these maps are 4 x 4 and 2 x 2; at 32 they would be 2 x 2 and 1 x 1."""
    teacher = network(64, seed=1).eval().requires_grad_(False)
    student = models.build("resnet18", classes=4, kwargs=SLIM, size=64, stem="cifar", seed=2)
    task = METHODS["simkd"](student, teacher, labels=torch.arange(8) % 4)
    assert task.projector["size"] == 2
    assert side_of(task.network) == 64
    images = torch.zeros(2, 3, 64, 64)
    assert torch.isfinite(task(images, torch.tensor([0, 1]), torch.arange(2))["loss"])

"""Networks have the published sizes, offer one API, and come back from their file alone."""

import pytest
import torch
from networks import TINY, images, tiny
from timm.layers import Conv2dSame
from torch import nn

from kdprune import models
from kdprune.errors import KdpruneError
from kdprune.models import counts

# Parameters with 1000, 100 and 10 classes (METHODS of the paper's fifteen networks)
PUBLISHED = {
    "resnet18": (11_689_512, 11_227_812, 11_181_642),
    "resnet34": (21_797_672, 21_335_972, 21_289_802),
    "resnet50": (25_557_032, 23_712_932, 23_528_522),
    "resnet101": (44_549_160, 42_705_060, 42_520_650),
    "resnet152": (60_192_808, 58_348_708, 58_164_298),
    "densenet161": (28_681_000, 26_692_900, 26_494_090),
    "densenet169": (14_149_480, 12_650_980, 12_501_130),
    "densenet201": (20_013_928, 18_285_028, 18_112_138),
    "efficientnet_b0": (5_288_548, 4_135_648, 4_020_358),
    "efficientnet_b1": (7_794_184, 6_641_284, 6_525_994),
    "efficientnet_b2": (9_109_994, 7_841_894, 7_715_084),
    "efficientnet_b3": (12_233_232, 10_849_932, 10_711_602),
    "efficientnet_b4": (19_341_616, 17_727_916, 17_566_546),
    "efficientnet_b5": (30_389_784, 28_545_684, 28_361_274),
    "mobilenetv1_100": (4_231_976, 3_309_476, 3_217_226),
}
# Share of convolution weights that only meet padding, with the published stem at 32 pixels
DEAD = {"resnet18": 0.622, "resnet50": 0.235, "densenet169": 0.085, "mobilenetv1_100": 0.003}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_counts_are_the_published_ones(name):
    for classes, expected in zip((1000, 100, 10), PUBLISHED[name], strict=True):
        with torch.device("meta"):
            model = models.build(name, classes=classes)
        assert counts.parameters(model) == expected


@pytest.mark.parametrize("family", TINY)
def test_one_api_for_all(family):
    model, batch = tiny(family), images(2)
    with torch.no_grad():
        maps = model.forward_features(batch)
        pooled = model.forward_head(maps, pre_logits=True)
        assert maps.dim() == 4
        assert torch.equal(model.get_classifier()(pooled), model(batch))


@pytest.mark.parametrize("family", TINY)
def test_cifar_stem_keeps_resolution(family):
    published, cifar = tiny(family), tiny(family, stem="cifar")
    with torch.no_grad():
        before = published.forward_features(images(2)).shape[-1]
        after = cifar.forward_features(images(2)).shape[-1]
    assert before == 1
    assert after == (4 if family in ("basic", "bottleneck", "dense") else 2)


def test_save_and_load_give_the_same_network_and_the_same_bytes(tmp_path):
    model = tiny("dense")
    name, kwargs = TINY["dense"]
    described = {"timm_name": name, "classes": 10, "stem": "imagenet", "kwargs": kwargs}
    for file in ("one", "two"):
        models.save(tmp_path / file, model, {"network": described, "seed": 3})
    loaded, metadata = models.load(tmp_path / "one")
    with torch.no_grad():
        assert torch.equal(loaded(images()), model(images()))
    assert metadata["seed"] == 3
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no safetensors at all", b"\xff" * 64])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(KdpruneError, match="bad"):
        models.load(tmp_path / "bad")


def test_faults_name_what_is_allowed():
    with pytest.raises(KdpruneError, match="did you mean resnet18"):
        models.build("resnet_18", classes=10)
    with pytest.raises(KdpruneError, match="cannot build resnet18"):
        models.build("resnet18", classes=10, kwargs={"depth": 9})
    for kwargs in ({"in_chans": 1}, {"channels": []}, {"stem_type": "deep", "stem_width": -8}):
        with pytest.raises(KdpruneError, match=r"cannot build resnet18|does not take images"):
            counts.macs(models.build("resnet18", classes=10, kwargs=kwargs))
    with pytest.raises(KdpruneError, match="does not take images of 3 x 32 x 32"):
        counts.macs(models.build("vit_tiny_patch16_224", classes=10))
    with pytest.raises(KdpruneError, match="first convolution"):
        models.build("vit_tiny_patch16_224", classes=10, stem="cifar")


def test_seed_fixes_the_weights_and_leaves_the_generator_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, two, other = (models.build("resnet18", classes=10, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.conv1.weight, two.conv1.weight)
    assert not torch.equal(one.conv1.weight, other.conv1.weight)


@pytest.mark.parametrize("name", DEAD)
def test_dead_shares(name):
    model = models.build(name, classes=10)
    assert counts.dead_share(model) == pytest.approx(DEAD[name], abs=6e-4)
    assert counts.dead_share(model, 64) < 0.015


def test_dead_weights_are_those_without_gradient():
    model = tiny("basic").double()
    for norm in (item for item in model.modules() if isinstance(item, nn.BatchNorm2d)):
        nn.init.ones_(norm.weight)  # timm starts the last one of a block at zero: no gradient
    model(images(4).double()).square().sum().backward()
    layers = [item for item in model.modules() if isinstance(item, nn.Conv2d)]
    # a tap is dead when no filter and no input has a gradient there
    dead = sum(
        (layer.weight.grad == 0).all(0).all(0).sum().item() * layer.weight[:, :, 0, 0].numel()
        for layer in layers
    )
    total = sum(layer.weight.numel() for layer in layers)
    assert counts.dead_share(model) == pytest.approx(dead / total)


def test_layers_that_pad_by_themselves_have_no_dead_taps_but_those_outside():
    """timm's Conv2dSame stores a padding of 0. On 2 x 2 maps all taps of 3 x 3 reach pixels."""
    for size, stride, alive in ((2, 1, 9), (1, 1, 1), (2, 2, 4), (4, 2, 9)):
        model = nn.Sequential(Conv2dSame(3, 4, 3, stride=stride, bias=False))
        assert counts.dead_share(model, size) == pytest.approx(1 - alive / 9)


def test_macs_of_a_network_counted_by_hand():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1, stride=2)
            self.head = nn.Linear(4, 5)

        def forward(self, x):
            return self.head(self.conv(x).mean((2, 3)))

    assert counts.macs(Two(), 8) == 3 * 4 * 9 * 4 * 4 + 4 * 5


def test_what_a_network_computes_as_it_is_built_is_there_after_loading(tmp_path):
    """Swin's masks and index tables are in no file; a network on the meta device lacks them."""
    kwargs = {"embed_dim": 8, "depths": [2, 1], "num_heads": [1, 2], "img_size": 32}
    network = {"timm_name": "swin_tiny_patch4_window7_224", "classes": 4}
    network["kwargs"] = kwargs | {"window_size": 2}
    model = models.build(**network, seed=0).eval()
    models.save(tmp_path / "a.safetensors", model, {"network": network})
    loaded, _ = models.load(tmp_path / "a.safetensors")
    assert {name for name, _ in loaded.named_buffers()} - set(loaded.state_dict())
    inputs = images(2)
    assert torch.equal(loaded(inputs), model(inputs))

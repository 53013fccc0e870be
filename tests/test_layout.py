"""The layout in memory changes no value, and survives what is done to a network."""

import copy

import pytest
import torch
from networks import TINY, images, tiny
from torch import nn

from kdprune import models
from kdprune.data.augment import normalise
from kdprune.device import arrange
from kdprune.pruning import METHODS


def depthwise(network: nn.Module) -> list[nn.Conv2d]:
    return [item for item in network.modules() if isinstance(item, nn.Conv2d) and item.groups > 1]


def laid_out(network: nn.Module) -> bool:
    """Whether depthwise weights, and only these, have the strides of channels-last ones."""
    return all(
        layer.weight.stride()[1] == (1 if layer.groups > 1 else layer.weight[0, 0].numel())
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d)
    )


@pytest.mark.parametrize("name", TINY)
def test_no_value_changes(name):
    network = tiny(name).double()
    before = copy.deepcopy(network)
    assert arrange(network) is network
    assert laid_out(network)
    for key, value in before.state_dict().items():
        assert torch.equal(network.state_dict()[key], value)
    batch = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(network(batch), before(batch), rtol=1e-10, atol=1e-12)


def test_what_is_loaded_pruned_and_copied_is_laid_out(tmp_path):
    names = [name for name in TINY if depthwise(tiny(name))]
    assert names
    for name in names:
        timm_name, kwargs = TINY[name]
        file = tmp_path / "network.safetensors"
        described = {"timm_name": timm_name, "classes": 10, "stem": "imagenet", "kwargs": kwargs}
        models.save(file, tiny(name), {"network": described})
        loaded, _ = models.load(file)
        assert laid_out(loaded)
        for method in ("weight", "channel"):
            pruned = next(METHODS[method](loaded, [0.5]))
            assert laid_out(copy.deepcopy(pruned.model))


def test_images_are_channels_last():
    stats = torch.full((3,), 0.5), torch.full((3,), 0.25)
    assert normalise(images(2), *stats).stride()[1] == 1

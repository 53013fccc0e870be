"""Training a cut network damages no memory, on any processor."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from kdprune.training.kernels import guarded

CHECKER = Path("/lib/x86_64-linux-gnu/libc_malloc_debug.so.0")
TRAINED = """
import torch
from torch import nn
from kdprune.training.kernels import guarded
torch.set_num_threads(1)
layer = nn.Conv2d(5, 5, 1, 2, bias=False)
images = torch.randn(16, 5, 8, 8).contiguous(memory_format=torch.channels_last)
with guarded(layer):
    for _ in range(50):
        layer(images).sum().backward()
        kept = [torch.empty(size) for size in (3, 17, 33, 129)]
"""


@pytest.mark.parametrize("channels", [5, 8])
def test_the_guard_changes_no_value_and_goes(channels):
    layer = nn.Conv2d(channels, 3, 1, 2)
    images = torch.randn(4, channels, 8, 8).contiguous(memory_format=torch.channels_last)
    plain = layer(images)
    with guarded(layer):
        assert torch.allclose(layer(images), plain, atol=1e-6)
        assert bool(layer._forward_pre_hooks) == (channels == 5)
    assert not layer._forward_pre_hooks


@pytest.mark.skipif(not CHECKER.exists(), reason="needs the C library's checker of allocations")
def test_a_cut_layer_trains_without_damage(root):
    environment = {"LD_PRELOAD": str(CHECKER), "MALLOC_CHECK_": "3", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", TRAINED], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

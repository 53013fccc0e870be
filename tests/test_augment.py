"""Crops and flips move pixels, and change none."""

import torch

from kdprune.data.augment import normalise, random_crop_flip


def numbered(count: int) -> torch.Tensor:
    """Images whose pixels all differ (1 … 255 in a 15 x 17 grid is enough here)."""
    pixels = torch.arange(1, 1 + 15 * 17, dtype=torch.uint8).view(1, 1, 15, 17)
    return pixels.expand(count, 3, 15, 17).contiguous()


def test_every_crop_is_a_shift_and_perhaps_a_flip():
    images = numbered(50)
    views = random_crop_flip(images, torch.Generator().manual_seed(0), padding=2)
    padded = torch.nn.functional.pad(images[0], (2, 2, 2, 2))
    candidates = {}
    for row in range(5):
        for column in range(5):
            window = padded[:, row : row + 15, column : column + 17]
            candidates[window.numpy().tobytes()] = (row, column, False)
            candidates[window.flip(2).contiguous().numpy().tobytes()] = (row, column, True)
    found = [candidates[view.contiguous().numpy().tobytes()] for view in views]
    assert {flip for _, _, flip in found} == {True, False}
    assert len(set(found)) > 20


def test_the_generator_alone_decides():
    images = numbered(8)
    one = random_crop_flip(images, torch.Generator().manual_seed(1))
    two = random_crop_flip(images, torch.Generator().manual_seed(1))
    three = random_crop_flip(images, torch.Generator().manual_seed(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_normalise_is_the_usual_formula():
    images = torch.randint(0, 256, (4, 3, 5, 5), dtype=torch.uint8)
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    expected = (images.double() / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    result = normalise(images, mean, std)
    assert result.dtype == torch.float32
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result.double(), expected, atol=1e-6, rtol=1e-6)

"""Augmentation as pure functions on whole batches, drawn from a torch.Generator."""

import torch
from torch.nn import functional


def normalise(images: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Turn bytes [B, 3, H, W] into floats with channel `mean` and `std` [3], given for 0..1.

    The result is channels-last in memory (kdprune.device).
    """
    scale = (1 / (255 * std)).view(1, -1, 1, 1)
    shift = (-mean / std).view(1, -1, 1, 1)
    floats = images.to(torch.float32, memory_format=torch.channels_last)
    return torch.addcmul(shift, floats, scale)


def random_crop_flip(
    images: torch.Tensor, generator: torch.Generator, *, padding: int = 4
) -> torch.Tensor:
    """Crop each of [B, 3, H, W] at random after zero padding, and flip every second on average.

    The usual CIFAR augmentation (He et al., CVPR 2016, arXiv:1512.03385, section 4.2). Pixels of
    the padding are bytes 0, as in the common pipelines that pad before they normalise. Draws on
    the generator's device; returns a new tensor of the same shape and type.
    """
    batch, _, height, width = images.shape
    device = images.device
    shifts = torch.randint(
        2 * padding + 1, (2, batch, 1), generator=generator, device=generator.device
    ).to(device)
    flips = torch.rand(batch, 1, generator=generator, device=generator.device).to(device) < 0.5
    rows = torch.arange(height, device=device) + shifts[0]
    columns = torch.arange(width, device=device)
    columns = torch.where(flips, columns.flip(0), columns) + shifts[1]
    padded = functional.pad(images, (padding,) * 4)
    index = rows.unsqueeze(2) * (width + 2 * padding) + columns.unsqueeze(1)  # [B, H, W]
    flat = padded.flatten(2)
    index = index.flatten(1).unsqueeze(1).expand(-1, images.shape[1], -1)
    return flat.gather(2, index).view_as(images)

"""Augmentation as pure functions on whole batches, drawn from a torch.Generator."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional

Augment = Callable[[torch.Tensor, torch.Generator], torch.Tensor]  # bytes and draws to bytes
RESIZED = 64  # pixels: from this side on, "auto" crops parts and resizes them
AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # Szegedy et al. 2015, as in torchvision


def normalise(images: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Turn bytes [B, 3, H, W] into floats with channel `mean` and `std` [3], given for 0..1.

    The result is channels-last in memory (kdprune.device).
    """
    scale = (1 / (255 * std)).view(1, -1, 1, 1)
    shift = (-mean / std).view(1, -1, 1, 1)
    floats = images.to(torch.float32, memory_format=torch.channels_last)
    return torch.addcmul(shift, floats, scale)


def augmentation(kind: str, size: int) -> Augment:
    """Return the views of training images, as [B, 3, size, size]: "crop", "resized", or "auto".

    "auto" is what is usual: crops of padded images below 64 pixels, resized parts from there on.
    """
    resized = size >= RESIZED if kind == "auto" else kind == "resized"
    return partial(random_resized_crop_flip if resized else random_crop_flip, size=size)


def centred(images: torch.Tensor, size: int) -> torch.Tensor:
    """Return the middle [N, 3, size, size] of [N, 3, H, H]: what is evaluated of an image."""
    begin = (images.shape[-1] - size) // 2
    return images[..., begin : begin + size, begin : begin + size].contiguous()


def random_crop_flip(
    images: torch.Tensor,
    generator: torch.Generator,
    *,
    size: int | None = None,
    padding: int | None = None,
) -> torch.Tensor:
    """Crop each of [B, 3, H, W] at random after zero padding, and flip every second on average.

    Crops are squares of `size`, or as large as the images; `padding` is an eighth of it
    (4 pixels at CIFAR's 32).

    The usual CIFAR augmentation (He et al., CVPR 2016, arXiv:1512.03385, section 4.2). Pixels of
    the padding are bytes 0, as in the common pipelines that pad before they normalise. Draws on
    the generator's device; returns a new tensor of the same type.
    """
    batch, channels, height, width = images.shape
    tall, wide = (height, width) if size is None else (size, size)
    padding = tall // 8 if padding is None else padding
    device = images.device
    shifts = torch.randint(
        height + 2 * padding - tall + 1, (2, batch, 1), generator=generator, device=generator.device
    ).to(device)
    flips = torch.rand(batch, 1, generator=generator, device=generator.device).to(device) < 0.5
    rows = torch.arange(tall, device=device) + shifts[0]
    columns = torch.arange(wide, device=device)
    columns = torch.where(flips, columns.flip(0), columns) + shifts[1]
    padded = functional.pad(images, (padding,) * 4)
    index = rows.unsqueeze(2) * (width + 2 * padding) + columns.unsqueeze(1)  # [B, H, W]
    flat = padded.flatten(2)
    index = index.flatten(1).unsqueeze(1).expand(-1, channels, -1)
    return flat.gather(2, index).view(batch, channels, tall, wide)


def random_resized_crop_flip(
    images: torch.Tensor, generator: torch.Generator, *, size: int
) -> torch.Tensor:
    """Cut a part of each of [B, 3, H, H] at random, resize it, and flip every second on average.

    The part has 8 to 100 % of the area and sides of 3:4 to 4:3, evenly on a log scale, fitted into
    the image (Szegedy et al., CVPR 2015, arXiv:1409.4842, section 6). Bilinear, without
    antialiasing. Returns bytes [B, 3, size, size]; draws on the generator's device.
    """
    batch = len(images)
    drawn = torch.rand(5, batch, generator=generator, device=generator.device)
    drawn = drawn.to(images.device)
    area = AREA[0] + (AREA[1] - AREA[0]) * drawn[0]
    low, high = (math.log(end) for end in RATIO)
    ratio = torch.exp(low + (high - low) * drawn[1])
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    # In grid_sample's coordinates the image goes from -1 to 1
    left, top = (1 - width) * (2 * drawn[2] - 1), (1 - height) * (2 * drawn[3] - 1)
    flip = torch.where(drawn[4] < 0.5, -1.0, 1.0)
    zero = torch.zeros_like(area)
    affine = torch.stack([width * flip, zero, left, zero, height, top], 1).view(batch, 2, 3)
    grid = functional.affine_grid(affine, [batch, 3, size, size], align_corners=False)
    seen = functional.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return seen.round_().clamp_(0, 255).to(torch.uint8)

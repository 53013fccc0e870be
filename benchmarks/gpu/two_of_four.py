"""Seconds of a linear layer with two zeros of every four weights (2:4), to the dense layer's.

python benchmarks/gpu/two_of_four.py; half precision, by turns, on an NVIDIA GPU of the Ampere
generation or newer. PyTorch has no such convolution.
"""

import statistics

import torch
from torch.sparse import to_sparse_semi_structured

SIZES = ((1024, 3072), (4096, 4096), (8192, 8192))  # features out, in
BATCHES = (64, 512, 4096)
ROUNDS, CALLS = 9, 50


def two_of_four(weight: torch.Tensor) -> torch.Tensor:
    """Return a copy in which the two smallest of every four weights of a row are zero."""
    fours = weight.reshape(-1, 4)
    kept = torch.zeros_like(fours).scatter_(1, fours.abs().topk(2, dim=1).indices, 1)
    return (fours * kept).reshape(weight.shape)


def seconds(weight: torch.Tensor, images: torch.Tensor) -> float:
    """Return how long one call takes, the mean of CALLS in a row."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(CALLS):
        torch.nn.functional.linear(images, weight)
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1000 / CALLS


def main() -> None:
    """Print the ratio of each size: below 1, the zeros make it faster."""
    torch.manual_seed(0)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, fp16")
    for shape in SIZES:
        dense = two_of_four(torch.randn(shape, device="cuda", dtype=torch.half))
        sparse = to_sparse_semi_structured(dense)
        for batch in BATCHES:
            images = torch.randn(batch, shape[1], device="cuda", dtype=torch.half)
            wanted = images @ dense.T
            gap = (wanted - torch.nn.functional.linear(images, sparse)).abs().max()
            assert gap < 0.01 * wanted.abs().max(), gap  # sums of thousands in half precision
            for weight in (dense, sparse):
                seconds(weight, images)
            ratios = [seconds(sparse, images) / seconds(dense, images) for _ in range(ROUNDS)]
            told = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"{shape[0]} x {shape[1]}, batch {batch}: {told}", flush=True)


if __name__ == "__main__":
    main()

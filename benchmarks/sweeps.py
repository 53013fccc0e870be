"""A sweep with head-only fine-tuning, against the straightforward loop: the same numbers, sooner.

python benchmarks/sweeps.py [LEVELS] [SEEDS]
"""

import copy
import sys

import networks
import torch
from pairing import compare
from torch.nn import functional

from kdprune.data.augment import normalise, random_crop_flip
from kdprune.pruning import METHODS
from kdprune.sweeps.features import DRAWN
from kdprune.sweeps.finetune import FineTune
from kdprune.sweeps.sweep import sweep
from kdprune.training.loop import evaluate

LEVELS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
EPOCHS, BATCH, LR, VIEWS = 5, 64, 0.001, 1
TUNE = {"epochs": EPOCHS, "batch_size": BATCH, "lr": LR, **networks.RECIPE}


def straightforward(model, data: dict, levels: list[float], seeds: int) -> list[tuple]:
    """Copy, prune, tune the head with a full forward pass, evaluate: for each level and seed.

    It draws what the sweep draws (the same views, and the same order), so its results are the same.
    """
    rows = []
    for level in levels:
        for seed in range(seeds):
            (pruned,) = METHODS["weight"](copy.deepcopy(model), [level])
            network = pruned.model.eval().requires_grad_(False)
            tune(network, pruned.masks, data, seed)
            stats = data["mean"], data["std"]
            val = evaluate(network, data["val_images"], data["val_labels"], *stats)
            test = evaluate(network, data["test_images"], data["test_labels"], *stats)
            rows.append((level, seed, val, test))
    return rows


def tune(network, masks: dict, data: dict, seed: int) -> None:
    """Tune the classifier with SGD, the whole network run for each batch."""
    head = network.get_classifier().requires_grad_(True)
    keep = next((mask for mask in masks.values() if mask.shape == head.weight.shape), None)
    drawn = torch.Generator().manual_seed(0)
    views = torch.cat([random_crop_flip(p, drawn) for p in data["train_images"].split(DRAWN)])
    inputs, labels = normalise(views, data["mean"], data["std"]), data["train_labels"]
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(head.parameters(), lr=LR, **networks.RECIPE)
    for _ in range(EPOCHS):
        order = torch.randperm(len(inputs), generator=generator)
        torch.randint(VIEWS, (len(inputs),), generator=generator)
        for part in order[: len(order) // BATCH * BATCH].split(BATCH):
            optimiser.zero_grad()
            functional.cross_entropy(network(inputs[part]), labels[part]).backward()
            if keep is not None:
                head.weight.grad *= keep
            optimiser.step()


def main(levels: int = 2, seeds: int = 10) -> None:
    """Print the ratio, and the largest difference between the two results."""
    torch.manual_seed(0)
    data = networks.images(1920)
    data |= {f"val_{what}": data[f"test_{what}"][:200] for what in ("images", "labels")}
    model = networks.network("resnet10_16").eval()
    chosen = LEVELS if levels >= len(LEVELS) else LEVELS[:: len(LEVELS) // levels][:levels]
    found = {}

    def ours() -> None:
        found["ours"] = sweep(
            model,
            data,
            method="weight",
            levels=chosen,
            seeds=seeds,
            re_estimate_images=0,
            finetune=FineTune(scope="head", views=VIEWS, **TUNE),
            hyperparameters={},
        )[0]

    def theirs() -> None:
        found["theirs"] = straightforward(model, data, chosen, seeds)

    claim = f"{len(chosen)} levels x {seeds} seeds: the straightforward loop's time, to the sweep's"
    compare(claim, ours, theirs, rounds=2, goal=">= 20")
    pairs = zip(found["ours"].itertuples(), found["theirs"], strict=True)
    worst = max(max(abs(a.val_accuracy - b[2]), abs(a.test_accuracy - b[3])) for a, b in pairs)
    print(f"largest difference of an accuracy between the two: {worst:.2f} points")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
